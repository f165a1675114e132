"""Metrics are the same on each backend, printed and served."""

import urllib.request

import lab
from lab import Programs, Sentinel


def test_metrics_are_printed_and_served(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("daemon", "start", "--metrics", "127.0.0.1:0")
    sentinel.ok("run", "--name", "web", "--", *programs.steady())
    sentinel.ok("run", "--name", "ended", "--", *programs.quick(7))
    sentinel.until("ended", status="failed", exit_code=7)
    where = sentinel.ok("daemon", "status", "--json").json()["metrics"]
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://{where}/metrics", timeout=lab.WITHIN) as answer:
        served = answer.read().decode()
    for text in (served, sentinel.ok("metrics").out):
        for name, up in (("web", 1), ("ended", 0)):
            labels = f'{{name="{name}",group="",backend="{sentinel.backend}"}}'
            assert f"sentinel_process_up{labels} {up}\n" in text
            assert f"sentinel_process_restarts_total{labels} 0\n" in text
        assert f"sentinel_process_exit_code{labels} 7\n" in text
        assert 'sentinel_process_resident_memory_bytes{name="web"' in text
        assert "sentinel_daemon_up 1\n" in text
        assert text.endswith("# EOF\n")
