"""A real service manager, a home and units of their own for each test, over each D-Bus library."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from systemd_bench import Bench

from sentinel.backends.systemd import reach
from sentinel.errors import BackendError
from sentinel.paths import Home


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(str(item.fspath)).parent == Path(__file__).parent]
    try:
        reach.reach()
    except BackendError as error:
        for item in here:
            item.add_marker(pytest.mark.skip(reason=str(error)))


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
