"""Homes that leave nothing behind, and the command line over each backend."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

import lab

BACKENDS = ("native", "systemd")
# Always the same examples, however long each takes: a run of the tests can't fail by chance.
settings.register_profile(
    "sentinel", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("sentinel")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", choices=(*BACKENDS, "all"), default="all", help="only on this backend")
    parser.addoption("--long", action="store_true", help="the long form of the suites that try to break it")
    parser.addoption("--seed", type=int, default=None, help="what the random faults begin from (see also SEED)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: minutes long; left out without --long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        _deselect(config, items, [item for item in items if item.get_closest_marker("long")])
    wanted = config.getoption("--backend")
    if wanted == "all":
        return
    _deselect(config, items, [item for item in items if _backend(item) not in ("", wanted)])


def _deselect(config: pytest.Config, items: list[pytest.Item], others: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in set(others)]


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the long form was asked for."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def seed(request: pytest.FixtureRequest, long: bool) -> int:
    """Where random faults begin: always the same in the short form, so that it can't fail by chance."""
    given = request.config.getoption("--seed") or os.environ.get("SEED")
    found = int(given) if given else int.from_bytes(os.urandom(4), "big") if long else 1
    print(f"SEED={found}")
    return found


def _backend(item: pytest.Item) -> str:
    if "native" in getattr(item, "fixturenames", ()):
        return "native"
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
    for key in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "FORCE_COLOR"):
        os.environ.pop(key, None)


@pytest.fixture(autouse=True, scope="session")
def _as_a_shell_starts_programs() -> None:
    """In the background of a script they ignore Ctrl-C; a mask for files and signals is inherited as well."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)
