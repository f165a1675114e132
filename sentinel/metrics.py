"""Metrics as OpenMetrics text, which node_exporter's text files and Prometheus both read.

https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md. The type `info` is not used: the
older text format, which node_exporter reads, does not have it.
"""

from collections.abc import Iterable, Iterator, Mapping

from sentinel.errors import UsageError
from sentinel.plain import dataclass, field

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_UNITS = ("seconds", "bytes")


@dataclass(slots=True)
class Metric:
    """A metric with its samples. The name ends with its unit, and has no `_total`: counters get that by themselves."""

    name: str
    kind: str  # "gauge" or "counter"
    help: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def add(self, value: float | None, labels: Mapping[str, str]) -> None:
        """A sample; None: there is none."""
        if value is not None:
            self.samples.append((labels, value))


def render(metrics: Iterable[Metric]) -> str:
    """The whole exposition, `# EOF` and all."""
    return "".join(f"{line}\n" for metric in metrics for line in _lines(metric)) + "# EOF\n"


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# TYPE {metric.name} {metric.kind}"
    unit = metric.name.rpartition("_")[2]
    if unit in _UNITS:
        yield f"# UNIT {metric.name} {unit}"
    yield f"# HELP {metric.name} {_escape(metric.help)}"
    suffix = "_total" if metric.kind == "counter" else ""
    for labels, value in metric.samples:
        given = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
        yield f"{metric.name}{suffix}{'{' + given + '}' if given else ''} {_number(value)}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def listen_address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `[ADDRESS]:PORT`, or a port alone: on the loopback interface.

    Raises:
        UsageError: it is none of these.
    """
    host, _, port = text.rpartition(":")
    host = host or "127.0.0.1"
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(f"--metrics cannot be {text!r}", "give HOST:PORT, as 127.0.0.1:9105")
    return host, int(port)
