"""Both D-Bus libraries answer alike."""

import time
from collections.abc import Iterator

import pytest
from systemd_bench import DEADLINE

from sentinel.backends.systemd import bus
from sentinel.backends.systemd.bus import Bus, BusError, Value, manager_call
from sentinel.backends.systemd.manager import Manager
from sentinel.backends.systemd.reach import reach
from sentinel.errors import BackendError


@pytest.fixture
def connection(binding: str) -> Iterator[Bus]:
    made = bus.connect(reach().address)
    yield made
    made.close()


def test_a_property_is_read(connection: Bus) -> None:
    assert isinstance(bus.get(connection, bus.ROOT, bus.MANAGER, "Version"), str)
    assert isinstance(bus.get(connection, bus.ROOT, bus.MANAGER, "Environment"), list)
    assert bus.get(connection, bus.ROOT, bus.MANAGER, "UserspaceTimestampMonotonic") > 0


def test_errors_are_ours(connection: Bus) -> None:
    with pytest.raises(BusError) as caught:
        connection.call(manager_call("GetUnit", "s", "sentinel-no-such.service"))
    assert caught.value.kind == bus.NO_UNIT
    assert "org.freedesktop" not in str(caught.value)
    assert "GDBus" not in str(caught.value)


def test_many_calls_are_answered_in_order(connection: Bus) -> None:
    calls = [
        manager_call("GetUnit", "s", "-.slice"),
        manager_call("GetUnit", "s", "sentinel-no-such.service"),
    ] * 20
    answers = connection.call_many(calls)
    assert [isinstance(answer, BusError) for answer in answers] == [False, True] * 20
    assert answers[0] == (bus.unit_path("-.slice"),)


def test_the_bus_is_never_asked_more_at_once_than_it_bears(binding: str) -> None:
    """A system bus keeps 128 answers outstanding for one connection, and refuses the next."""
    manager = Manager(reach())
    answers = manager.read(["-.slice"] * 500, ["Id"], bus.UNIT)
    manager.close()
    assert answers == [["-.slice"]] * 500


def test_a_job_is_waited_for(connection: Bus, binding: str) -> None:
    connection.watch_jobs()
    name = f"sentinel-bus.test:{binding}.service"
    properties = [
        ("Type", Value("s", "oneshot")),
        ("ExecStart", Value("a(sasb)", [("/bin/true", ["true"], False)])),
    ]
    job = connection.call(manager_call("StartTransientUnit", "ssa(sv)a(sa(sv))", name, "fail", properties, []))[0]
    assert connection.wait_jobs([job], time.monotonic() + DEADLINE) == {job: "done"}


def test_a_job_that_never_ends_is_given_up(connection: Bus) -> None:
    connection.watch_jobs()
    assert connection.wait_jobs(["/no/such/job"], time.monotonic() + 0.05) == {}


def test_no_bus_is_told_in_words(binding: str, tmp_path: object) -> None:
    with pytest.raises(BackendError, match="no bus answers"):
        bus.connect(f"unix:path={tmp_path}/nothing")


def test_text_that_is_not_utf8_is_refused(connection: Bus) -> None:
    assert isinstance(connection.call_many([manager_call("GetUnit", "s", "a\udcff")])[0], BusError)
