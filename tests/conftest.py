"""Homes that leave nothing behind, and the command line over each backend."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import lab

BACKENDS = ("native", "systemd")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", choices=(*BACKENDS, "all"), default="all", help="only on this backend")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--backend")
    if wanted == "all":
        return
    other = [item for item in items if _backend(item) not in ("", wanted)]
    config.hook.pytest_deselected(items=other)
    items[:] = [item for item in items if item not in set(other)]


def _backend(item: pytest.Item) -> str:
    spec = getattr(item, "callspec", None)
    found = spec.params.get("backend", "") if spec else ""
    return found if found in BACKENDS else ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a service manager runs and nothing may be skipped, what is skipped has failed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and _nothing_may_be_skipped():
        report.outcome = "failed"
        report.longrepr = f"may not be skipped here: {report.longrepr}"
    return report


def _nothing_may_be_skipped() -> bool:
    return os.environ.get("SENTINEL_CI") == "1" and not lab.systemd_missing()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of the backend under test."""
    name: str = request.param
    if name == "systemd" and (reason := lab.systemd_missing()):
        lab.skip(reason)
    return name


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def deep_home(tmp_path: Path) -> Path:
    """Longer than any Unix socket's address may be."""
    return tmp_path / ("d" * 120) / ("e" * 120) / "home"


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """Where the commands are run from: empty."""
    directory = tmp_path / "work"
    directory.mkdir()
    return directory


@pytest.fixture
def programs(tmp_path: Path) -> lab.Programs:
    return lab.Programs(tmp_path / "programs")


@pytest.fixture
def sentinel_at(tmp_path: Path, workdir: Path) -> Iterator[Callable[[Path, str], lab.Sentinel]]:
    """The command line over any home below tmp_path; at the end nothing of it may be left."""
    before = lab.units()
    made: list[lab.Sentinel] = []

    def make(home: Path, backend: str) -> lab.Sentinel:
        made.append(lab.Sentinel(home, backend, workdir))
        return made[-1]

    yield make
    problems = [problem for each in made for problem in each.close()]
    problems += lab.end_everything(tmp_path, before)
    assert not problems, "the test left things behind:\n" + "\n".join(problems)


@pytest.fixture
def sentinel(sentinel_at: Callable[[Path, str], lab.Sentinel], home: Path, backend: str) -> lab.Sentinel:
    """The command line over a home of its own and the backend under test."""
    return sentinel_at(home, backend)


@pytest.fixture
def native(sentinel_at: Callable[[Path, str], lab.Sentinel], home: Path) -> lab.Sentinel:
    """The command line over a home of its own and the native backend."""
    return sentinel_at(home, "native")


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_developer() -> None:
    for key in [each for each in os.environ if each.startswith("SENTINEL_")]:
        if key not in ("SENTINEL_CI", "SENTINEL_DBUS", "SENTINEL_PORTABLE", "SENTINEL_SYSTEMD_SCOPE"):
            del os.environ[key]
