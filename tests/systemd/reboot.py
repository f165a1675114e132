"""Whether everything comes back after a real reboot: `reboot.py before [N]`, reboot, `reboot.py after [N]`.

    contrib/testbed/run-tests --exec --after-reboot 'python tests/systemd/reboot.py after' -- \\
        python tests/systemd/reboot.py before

N processes on each backend, over all restart policies. In the test bed only: it uses the default home.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lab

PLACE = Path.home() / "reboot-test"
POLICIES = ("no", "on-failure", "always")
BACKENDS = ("native", "systemd")


def sentinel() -> lab.Sentinel:
    return lab.Sentinel(Path.home() / ".sentinel", "auto", PLACE)


def names(backend: str, count: int) -> list[str]:
    return [f"{backend}-{number}" for number in range(count)]


def before(count: int) -> None:
    assert not (Path.home() / ".sentinel").exists(), "this is no test bed"
    programs = lab.Programs(PLACE)
    machine = sentinel()
    for backend in BACKENDS:
        for at, name in enumerate(names(backend, count)):
            options = ["--restart-policy", POLICIES[at % len(POLICIES)], "--backend", backend]
            machine.run(name, *options, "--", *programs.steady(f"ready-{name}"))
        machine.run(f"{backend}-healthy", "--backend", backend, "--restart", "--health-cmd", "true", "--",
                    *programs.steady(f"ready-{backend}-healthy"))  # fmt: skip
        machine.run(f"{backend}-stopped", "--backend", backend, "--restart", "--", *programs.steady())
        machine.ok("stop", f"{backend}-stopped")
        machine.run(f"{backend}-finished", "--backend", backend, "--", *programs.quick(0, f"finished-{backend}"))
        machine.until(f"{backend}-finished", status="exited")
    installed = machine.ok("startup", "install", "--json").json()
    assert installed["ok"], installed
    assert installed["name"] == "sentinel.service"
    for name in [name for backend in BACKENDS for name in [*names(backend, count), f"{backend}-healthy"]]:
        programs.pid(f"ready-{name}")
        programs.path(f"ready-{name}").unlink()
    print(f"{2 * count + 2} processes run")


def after(count: int) -> None:
    programs = lab.Programs(PLACE)
    machine = sentinel()
    wanted = [name for backend in BACKENDS for name in [*names(backend, count), f"{backend}-healthy"]]
    pids = {name: programs.pid(f"ready-{name}") for name in wanted}
    assert lab.eventually(lambda: machine.daemon_pid() or 0)
    found = {each["name"]: each for each in machine.list()}
    for name in wanted:
        assert (found[name]["status"], found[name]["pid"]) == ("running", pids[name]), found[name]
    for backend in BACKENDS:
        assert found[f"{backend}-stopped"]["status"] == "stopped"
        assert found[f"{backend}-finished"]["status"] == "exited"
        assert len(programs.starts(1, f"finished-{backend}")) == 1
    for event in map(json.loads, machine.ok("events", "--json", "--lines", "1000").out.splitlines()):
        by_hand = event["event"] == "stopped" and event.get("by") == "systemctl"
        assert not by_hand, f"the shutdown was taken for an administrator's stop: {event}"
    status = machine("startup", "status", "--json").json()
    assert status["ok"], status
    machine.ok("stopall")
    machine.ok("daemon", "stop")
    machine.ok("startup", "uninstall")
    print(f"{len(wanted)} processes came back")


if __name__ == "__main__":
    os.umask(0o077)
    {"before": before, "after": after}[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 5)
