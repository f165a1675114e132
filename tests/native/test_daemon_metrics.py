"""Metrics of real processes, printed and served by the daemon."""

import socket
import urllib.error
import urllib.request
from pathlib import Path

import lab
import pytest
from lab import Programs, Sentinel, eventually
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from sentinel.paths import Home
from sentinel.state import Store

Samples = dict[tuple[str, str], float]


def samples(text: str) -> Samples:
    """{(metric, name of the process): value}"""
    found = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {(each.name, each.labels.get("name", "")): each.value for each in found}


def get(address: str, path: str = "/metrics") -> tuple[str, str]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://{address}{path}", timeout=lab.WITHIN) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def served(native: Sentinel) -> str:
    native.ok("daemon", "start", "--metrics", "127.0.0.1:0")
    address = native.ok("daemon", "status", "--json").json()["metrics"]
    assert isinstance(address, str)
    return address


def test_metrics_of_processes(native: Sentinel, programs: Programs, tmp_path: Path) -> None:
    native.ok("group", "create", "workers")
    native.ok("run", "--name", "web", "--group", "workers", "--", *programs.lines(3, "ready"))
    native.ok("run", "--name", "ended", "--", *programs.quick(7))
    native.ok("run", "--name", "well", "--", *programs.quick(0))
    native.ok("run", "--name", "stopped", "--", *programs.steady("steady"))
    native.ok("stop", "stopped")
    programs.pid("ready")
    native.until("ended", status="failed")
    native.until("well", status="exited")
    text = native.ok("metrics").out
    found = samples(text)
    assert 'sentinel_process_up{name="web",group="workers",backend="native"} 1\n' in text
    assert [found["sentinel_process_up", name] for name in ("web", "ended", "stopped")] == [1, 0, 0]
    assert [found["sentinel_process_wanted", name] for name in ("web", "ended", "stopped", "well")] == [1, 1, 0, 0]
    assert found["sentinel_process_exit_code", "ended"] == 7
    assert found["sentinel_process_exit_signal", "stopped"] == 15
    assert found["sentinel_process_resident_memory_bytes", "web"] > 100_000
    assert found["sentinel_process_cpu_seconds_total", "web"] >= 0
    assert ("sentinel_process_cpu_seconds_total", "ended") not in found
    assert found["sentinel_process_start_time_seconds", "web"] > 1.7e9
    assert ("sentinel_process_healthy", "web") not in found
    sizes = [each for each in text.splitlines() if each.startswith('sentinel_process_log_bytes{name="web"')]
    assert [line.rpartition(" ")[2] for line in sizes] == ["21", "39"]


def test_the_daemon_serves_them(native: Sentinel, programs: Programs) -> None:
    address = served(native)
    native.run("web", "--restart", "--", *programs.crashes("3"))
    programs.starts(1)
    programs.pull()
    programs.starts(2)

    def restarted() -> None:
        kind, text = get(address)
        assert kind.startswith("application/openmetrics-text; version=1.0.0")
        found = samples(text)
        assert found["sentinel_process_restarts_total", "web"] == 1
        assert (found["sentinel_process_up", "web"], found["sentinel_daemon_up", ""]) == (1, 1)

    eventually(restarted)
    assert f"metrics: http://{address}/metrics" in native.ok("daemon", "status").out
    with pytest.raises(urllib.error.HTTPError) as other:
        get(address, "/")
    assert other.value.code == 404
    native.ok("daemon", "stop")
    with pytest.raises(OSError, match="refused"):
        get(address)


def test_clients_that_say_nothing_hold_up_nobody(native: Sentinel, programs: Programs) -> None:
    address = served(native)
    host, port = address.split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(20)]
    try:
        native.run("web", "--restart", "--", *programs.crashes("3"))
        programs.starts(1)
        programs.pull()
        programs.starts(2)  # the daemon goes on
    finally:
        for each in silent:
            each.close()
    assert eventually(lambda: get(address))


def test_a_port_in_use_is_refused_before_the_daemon_is_there(native: Sentinel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for words in (("daemon", "start"), ("daemon", "run")):
            assert "address already in use" in native.fails(1, *words, "--metrics", address).err
        assert native.daemon_pid() is None
    native.fails(2, "daemon", "start", "--metrics", "nonsense")
    native.fails(2, "daemon", "run", "--metrics", "nonsense")


def test_a_daemon_that_runs_without_them_is_not_taken_for_one_that_serves_them(native: Sentinel) -> None:
    native.ok("daemon", "start")
    assert "serves no metrics" in native.fails(1, "daemon", "start", "--metrics", "9105").err
    native.ok("daemon", "stop")
    address = served(native)
    native.ok("daemon", "start", "--metrics", address)
    assert "serves its metrics on" in native.fails(1, "daemon", "start", "--metrics", "127.0.0.1:1").err


def test_a_backend_out_of_reach_hides_no_other(native: Sentinel, programs: Programs) -> None:
    native.run("web", "--", *programs.steady())
    native.run("far", "--", *programs.steady("other"))
    native.ok("stop", "far")
    _move_record(native, "systemd", "user")
    told = native.ok("metrics", env={"DBUS_SESSION_BUS_ADDRESS": "tcp:host=127.0.0.1,port=1"}).out.splitlines()
    _move_record(native, "native", None)
    assert 'sentinel_backend_up{backend="native"} 1' in told
    assert 'sentinel_backend_up{backend="systemd"} 0' in told
    assert [line for line in told if line.startswith("sentinel_process_up{")] == [
        'sentinel_process_up{name="web",group="",backend="native"} 1'
    ]


def _move_record(native: Sentinel, backend: str, scope: str | None) -> None:
    with Store(Home(native.home)).change() as state:
        far = next(record for record in state.processes.values() if record.name == "far")
        far.backend, far.scope = backend, scope
