"""`sentinel selftest` keeps its promises here, and leaves nothing behind, whatever ends it."""

import signal
from pathlib import Path

import lab
from lab import Sentinel, eventually

LONG = 900.0  # seconds: against hanging for ever


def test_every_promise_is_kept(native: Sentinel, tmp_path: Path) -> None:
    result = native("selftest", "--backend", "native", "--json", env={"TMPDIR": str(tmp_path)}, within=LONG)
    told = result.json()["backends"]["native"]
    assert [(each["promise"], each["error"]) for each in told["promises"] if not each["passed"]] == []
    assert (told["available"], result.json()["passed"], result.code) == (True, True, 0)
    measured = {each["promise"]: each["measured"] for each in told["promises"]}
    assert measured["crash"]["median_ms"] > 0
    assert measured["idle"]["keeper_bytes"] > 0
    assert list(tmp_path.glob("sentinel-selftest-*")) == []
    assert not native.home.exists()


def test_ended_half_way_it_cleans_up(native: Sentinel, tmp_path: Path) -> None:
    running = native.spawn("selftest", "--backend", "native", env={"TMPDIR": str(tmp_path)})
    eventually(lambda: list(tmp_path.glob("sentinel-selftest-*/home/run/keeper.sock")))
    running.send_signal(signal.SIGTERM)
    assert running.wait(LONG) == 130
    assert list(tmp_path.glob("sentinel-selftest-*")) == []
    assert lab.processes_naming(tmp_path) == {}
