"""metrics: the OpenMetrics text, for a file that node_exporter reads."""

from sentinel.cli.call import Call


def metrics(call: Call) -> int:
    call.out.bytes(call.supervisor.metrics().encode(errors="replace"))
    return 0
