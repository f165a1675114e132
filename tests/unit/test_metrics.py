"""Metrics as text: what a parser reads is what was put in, and dashboard and alerts ask only for what there is."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as older_format

from sentinel.errors import UsageError
from sentinel.metrics import Metric, listen_address, render
from sentinel.paths import Home
from sentinel.supervisor.context import Context
from sentinel.supervisor.measuring import measure

CONTRIB = Path(__file__).parents[2] / "contrib"
NASTY = 'a "quoted"\\ name\nof two lines, ünï{}='


def test_what_is_rendered_is_read_back() -> None:
    gauge = Metric("sentinel_process_up", "gauge", 'with \\ and "quotes"\nand lines')
    gauge.add(1, {"name": NASTY, "group": ""})
    gauge.add(None, {"name": "none"})
    counter = Metric("sentinel_process_cpu_seconds", "counter", "CPU")
    counter.add(1234567.25, {"name": "web"})
    counter.add(0.000001, {"name": "idle"})
    text = render([gauge, counter])
    up, cpu = text_string_to_metric_families(text)
    assert [(sample.labels, sample.value) for sample in up.samples] == [({"name": NASTY, "group": ""}, 1.0)]
    assert (cpu.type, cpu.unit) == ("counter", "seconds")
    assert [(each.name, each.value) for each in cpu.samples] == [
        ("sentinel_process_cpu_seconds_total", 1234567.25),
        ("sentinel_process_cpu_seconds_total", 0.000001),
    ]
    assert text.endswith("\n# EOF\n")
    assert {sample.name for family in older_format(text) for sample in family.samples} == {
        "sentinel_process_up", "sentinel_process_cpu_seconds_total",
    }  # fmt: skip


def test_an_empty_home_has_metrics_too_and_is_not_made(tmp_path: Path) -> None:
    families = {each.name: each for each in text_string_to_metric_families(measure(Context(Home(tmp_path / "home"))))}
    assert families["sentinel_daemon_up"].samples[0].value == 0
    assert "version" in families["sentinel_build_info"].samples[0].labels
    assert families["sentinel_process_up"].samples == []
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("path", ["grafana/dashboard.json", "prometheus/alerts.yml"])
def test_dashboard_and_alerts_ask_for_metrics_that_there_are(path: str, tmp_path: Path) -> None:
    text = (CONTRIB / path).read_text()
    if path.endswith(".json"):
        text = " ".join(target["expr"] for panel in json.loads(text)["panels"] for target in panel["targets"])
    there_are = set(re.findall(r"# TYPE (\w+) gauge", measure(Context(Home(tmp_path)))))
    there_are |= {f"{name}_total" for name in re.findall(r"# TYPE (\w+) counter", measure(Context(Home(tmp_path))))}
    asked = set(re.findall(r"\bsentinel_\w+", text))
    assert asked
    assert asked <= there_are


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9105", ("127.0.0.1", 9105)),
        ("9105", ("127.0.0.1", 9105)),
        (":9105", ("127.0.0.1", 9105)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:9105", ("::1", 9105)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert listen_address(text) == address


@pytest.mark.parametrize("text", ["", "localhost", "localhost:", "localhost:http", "1:65536", "::1:9105", "[]:1", "-1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        listen_address(text)
