"""A state machine of everything a user, a crash and a daemon do, on real processes against a simple model.

Once settled: what is wanted is what runs, one copy of each, no stranger signalled, the state loadable, and at the
end no process, descriptor or socket left.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import lab
import pytest
from faultlab import House
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from sentinel.errors import SentinelError

NAMES = st.sampled_from(["a", "b", "c"])


class Machine(RuleBasedStateMachine):
    """The model: which names there are, whether each is wanted to run, and in which group it is."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="sentinel-races-"))
        self.house = House(self.place / "home", self.place / "marks")
        self.wanted: dict[str, bool] = {}
        self.group: set[str] = set()
        self.daemon: subprocess.Popen[bytes] | None = None
        self.stranger = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
        self.house.supervisor.group_create("g", {}, None)

    def refused_or(self, name: str, command: str) -> bool:
        """Do it to one that may not be there; whether it was."""
        try:
            outcome = getattr(self.house.supervisor, command)([name])
        except SentinelError:
            assert name not in self.wanted
            return False
        assert name in self.wanted
        assert not [done.error for done in outcome.done if done.error]
        return True

    @rule(name=NAMES, grouped=st.booleans())
    def run(self, name: str, grouped: bool) -> None:
        try:
            self.house.run(name, group="g" if grouped else None)
        except SentinelError:
            assert name in self.wanted
        else:
            assert name not in self.wanted
            self.wanted[name] = True
            if grouped:
                self.group.add(name)

    @rule(name=NAMES)
    def start(self, name: str) -> None:
        if self.refused_or(name, "start"):
            self.wanted[name] = True

    @rule(name=NAMES)
    def stop(self, name: str) -> None:
        if self.refused_or(name, "stop"):
            self.wanted[name] = False
            assert not self.house.copies(name)

    @rule(name=NAMES)
    def restart(self, name: str) -> None:
        before = self.house.copies(name)
        if self.refused_or(name, "restart"):
            self.wanted[name] = True
            assert lab.gone(*before)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if self.refused_or(name, "delete"):
            del self.wanted[name]
            self.group.discard(name)
            assert not self.house.copies(name)

    @rule(name=NAMES)
    def add_to_group(self, name: str) -> None:
        if name in self.wanted:
            self.house.supervisor.group_add("g", [name])
            self.group.add(name)

    @rule(verb=st.sampled_from(["group_start", "group_stop", "group_restart"]))
    def on_the_group(self, verb: str) -> None:
        getattr(self.house.supervisor, verb)("g")
        for name in self.group:
            self.wanted[name] = self.wanted[name] if verb == "group_restart" else verb == "group_start"

    @rule()
    def clean(self) -> None:
        self.house.supervisor.clean()
        for name in [name for name, wanted in self.wanted.items() if not wanted]:
            del self.wanted[name]
            self.group.discard(name)

    @rule(name=NAMES, number=st.sampled_from([signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP]))
    def signalled_from_outside(self, name: str, number: signal.Signals) -> None:
        for pid in self.house.copies(name):
            os.kill(pid, number)

    @rule(name=NAMES, command=st.sampled_from(["start", "stop", "restart", "delete"]), step=st.integers(0, 5))
    def a_command_is_killed(self, name: str, command: str, step: int) -> None:
        """What it wanted may have been written down or not; the model takes what was."""
        points = ["state.saving", "state.saved", "stop.wanted", "stop.done", "launch.starting", "launch.started"]
        self.house.forked(lambda s: getattr(s, command)([name]), points[step])
        record = self.house.record(name)
        if record is not None:
            self.wanted[name] = record.desired == "running"
        elif self.wanted.pop(name, None) is not None:
            self.group.discard(name)

    @precondition(lambda self: self.daemon is None)
    @rule()
    def daemon_up(self) -> None:
        self.daemon = self.house.daemon_up()

    @precondition(lambda self: self.daemon is not None)
    @rule(number=st.sampled_from([signal.SIGKILL, signal.SIGTERM]))
    def daemon_down(self, number: signal.Signals) -> None:
        assert self.daemon is not None
        self.daemon.send_signal(number)
        self.daemon.wait(lab.WITHIN)
        self.daemon = None

    @rule()
    def keeper_killed(self) -> None:
        self.house.kill_keeper()

    @invariant()
    def settled(self) -> None:
        if not self.house.home.state.exists():
            return
        assert set(self.wanted) == {record.name for record in self.house.state().processes.values()}
        for name, wanted in self.wanted.items():
            if wanted:
                self.house.only_copy(name)
            else:
                self.house.until(name, "stopped")
        for name in ("a", "b", "c"):
            if not self.wanted.get(name):
                lab.eventually(lambda name=name: not self.house.copies(name))
        assert self.stranger.poll() is None

    def teardown(self) -> None:
        self.house.check_no_orphans()
        self.house.check_no_leaks()
        self.house.close()
        self.stranger.kill()
        self.stranger.wait()
        assert not lab.end_everything(self.place, set())
        shutil.rmtree(self.place)


def _how(long: bool) -> settings:
    return settings(
        max_examples=200 if long else 8,
        stateful_step_count=50 if long else 12,
        derandomize=not long,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # to shrink a failure of real processes takes for ever
        suppress_health_check=list(HealthCheck),
    )


def test_everything_in_any_order(long: bool) -> None:
    run_state_machine_as_test(Machine, settings=_how(long))


@pytest.fixture(autouse=True)
def _no_descriptor_is_left() -> object:
    before = len(os.listdir("/dev/fd"))
    yield
    assert len(os.listdir("/dev/fd")) <= before + 1
