"""A real service manager, a home and units of their own for each test, over each D-Bus library."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import lab
import pytest
from systemd_bench import Bench

from sentinel.backends.systemd import reach
from sentinel.errors import BackendError
from sentinel.paths import Home

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

from faultlab import House


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip all of these where no manager can be reached; drop what is about the other kind of manager."""
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    other = [item for item in here if _needs_root(item) is (os.geteuid() != 0)]
    if other:
        items[:] = [item for item in items if item not in other]
        config.hook.pytest_deselected(items=other)
    try:
        reach.reach()
    except BackendError as error:
        for item in here:
            item.add_marker(pytest.mark.skip(reason=str(error)))


def _needs_root(item: pytest.Item) -> bool | None:
    return getattr(getattr(item, "function", None), "sentinel_needs_root", None)


@pytest.fixture(params=["jeepney", "pydbus"])
def binding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    needed = ("gi", "pydbus") if request.param == "pydbus" else ("jeepney",)
    for name in needed:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    monkeypatch.setenv("SENTINEL_DBUS", request.param)
    return str(request.param)


@pytest.fixture
def bench(binding: str, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(Home(tmp_path / "home"), tmp_path)
    yield made
    made.clean()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The home of the fault suite, here with both engines."""
    before = lab.units()
    made = House(tmp_path / "home", tmp_path / "marks")
    yield made
    try:
        made.close()
    finally:
        problems = lab.end_everything(tmp_path, before)
    assert not problems, "the test left things behind:\n" + "\n".join(problems)
