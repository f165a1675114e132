"""The entry at boot: what comes back, what the entry calls, and launchd played by the rules of launchctl(1)."""

import plistlib
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sentinel.errors import BackendError
from sentinel.model import Desired, Exit, HealthCheck, Record, Restart, RestartPolicy, Runtime, Spec
from sentinel.paths import Home
from sentinel.supervisor.startup import entry as entries
from sentinel.supervisor.startup import use
from sentinel.supervisor.startup.bringing import comes_back, needs_daemon
from sentinel.supervisor.startup.entry import Entry
from sentinel.supervisor.startup.on_launchd import OnLaunchd, translated


def record(last: Exit | None, mode: Restart = Restart.NO, desired: Desired = Desired.RUNNING) -> Record:
    spec = Spec(["true"], "/", restart=RestartPolicy(mode))
    return Record(1, "web", "native", spec, desired, runtime=Runtime(run=1, last_exit=last))


@pytest.mark.parametrize(
    ("last", "no", "on_failure", "always"),
    [
        (None, True, True, True),  # nobody saw an end
        (Exit(1), True, True, True),  # lost with the machine
        (Exit(1, signal=15), True, True, True),  # by the shutdown
        (Exit(1, signal=9), True, True, True),
        (Exit(1, signal=15, reason="shutdown"), True, True, True),
        (Exit(1, code=0, reason="shutdown"), True, True, True),
        (Exit(1, reason="launch: no such directory"), True, True, True),
        (Exit(1, code=0), False, False, True),  # it did its work
        (Exit(1, code=1), False, True, True),
    ],
)
def test_what_comes_back(last: Exit | None, no: bool, on_failure: bool, always: bool) -> None:
    found = [comes_back(record(last, mode)) for mode in (Restart.NO, Restart.ON_FAILURE, Restart.ALWAYS)]
    assert found == [no, on_failure, always]
    assert not comes_back(record(last, Restart.ALWAYS, Desired.STOPPED))


def test_who_needs_the_daemon() -> None:
    native = record(None)
    systemd = record(None)
    systemd.backend = "systemd"
    assert needs_daemon([native])
    assert not needs_daemon([systemd])
    systemd.spec.health = HealthCheck("tcp", "localhost:80")
    assert needs_daemon([systemd])
    systemd.desired = Desired.STOPPED
    assert not needs_daemon([systemd])


# what the entry calls


def scripts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    found = tmp_path / "tool/bin"
    found.mkdir(parents=True)
    (found / "sentinel").write_text("#!/bin/sh\n")
    (found / "sentinel").chmod(0o755)
    monkeypatch.setattr(entries.sysconfig, "get_path", lambda _: str(found))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    return found


def test_a_symlink_on_the_path_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = scripts(monkeypatch, tmp_path)
    other, links = tmp_path / "other", tmp_path / "links"
    for folder in (other, links):
        folder.mkdir()
    (other / "sentinel").write_text("another program of that name")
    (other / "sentinel").chmod(0o755)
    monkeypatch.setenv("PATH", f"{ours}:{other}:{links}")
    assert entries.program() == (str(ours / "sentinel"),)
    (links / "sentinel").symlink_to(ours / "sentinel")
    assert entries.program() == (str(links / "sentinel"),)


def test_without_a_script_our_python_is_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = scripts(monkeypatch, tmp_path)
    (ours / "sentinel").unlink()
    monkeypatch.setenv("PATH", "/usr/bin:relative")
    assert entries.program()[0] == sys.executable
    assert "sentinel.__main__" in entries.program()[-1]


@pytest.mark.parametrize(
    ("path", "doubtful"),
    [
        ("/home/me/.local/bin/sentinel", False),
        ("/srv/app/.venv/bin/sentinel", False),
        ("/home/me/.pyenv/versions/3.12.1/bin/sentinel", True),
        ("/home/me/.cache/uv/archive-v0/x/bin/sentinel", True),
    ],
)
def test_paths_that_may_be_gone_one_day(path: str, doubtful: bool) -> None:
    assert bool(entries.doubts([path])) is doubtful


def test_where_there_is_no_systemd_cron_is_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(use, "BOOTED", tmp_path / "missing")
    with pytest.raises(BackendError) as refused:
        use.install(Home(tmp_path / "home"), "systemd", None)
    assert "@reboot SENTINEL_HOME=" in refused.value.hint
    assert use.cron_line(Home(tmp_path / "100%")).count("\\%") == 1


# launchd


class Launchd:
    """launchctl: exit statuses as on macOS 13."""

    def __init__(self, domains: Sequence[str]) -> None:
        self.domains = list(domains)
        self.loaded: dict[str, dict[str, object]] = {}
        self.disabled: set[str] = set()
        self.calls: list[list[str]] = []

    def __call__(self, words: Sequence[str]) -> tuple[int, str]:
        self.calls.append(list(words))
        verb, target = words[0], words[1]
        domain, _, label = target.partition("/") if target.startswith("system") else _split(target)
        if domain not in self.domains:
            return 112, "Could not find domain for user"
        return getattr(self, "_" + verb.replace("-", "_"))(domain, label, *words[2:])  # type: ignore[no-any-return]

    def _enable(self, domain: str, label: str) -> tuple[int, str]:
        self.disabled.discard(label)
        return 0, ""

    def _bootstrap(self, domain: str, _: str, file: str) -> tuple[int, str]:
        job = plistlib.loads(Path(file).read_bytes())
        label = f"{domain}/{job['Label']}"
        session = {"gui": "Aqua", "user": "Background"}.get(domain.partition("/")[0])
        if session and session != job.get("LimitLoadToSessionType", "Aqua"):
            return 5, "Bootstrap failed: 5: Input/output error"
        if job["Label"] in self.disabled:
            return 119, "Bootstrap failed: 119: Service is disabled"
        if label in self.loaded:
            return 5, "Bootstrap failed: 5: Input/output error"
        self.loaded[label] = job
        return 0, ""

    def _bootout(self, domain: str, label: str) -> tuple[int, str]:
        found = self.loaded.pop(f"{domain}/{label}", None)
        return (0, "") if found else (3, "Boot-out failed: 3: No such process")

    def _print(self, domain: str, label: str) -> tuple[int, str]:
        return (0, "state = running") if f"{domain}/{label}" in self.loaded else (113, "Could not find service")

    def _print_disabled(self, domain: str, _: str) -> tuple[int, str]:
        return 0, "disabled services = {\n" + "".join(f'\t"{each}" => disabled\n' for each in self.disabled) + "}"


def _split(target: str) -> tuple[str, str, str]:
    parts = target.split("/")
    return "/".join(parts[:2]), "/", "/".join(parts[2:])


def on_launchd(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, launchd: Launchd, home: str = ".sentinel", scope: str = "user"
) -> OnLaunchd:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("os.getuid", lambda: 501)
    monkeypatch.setattr("sentinel.supervisor.startup.on_launchd.doubts", lambda _: [])
    script = tmp_path / "bin/sentinel"
    script.parent.mkdir(exist_ok=True)
    script.write_text("")
    script.chmod(0o755)
    root = tmp_path / home
    return OnLaunchd(Entry((str(script),), {"SENTINEL_HOME": str(root), "A": "<&>"}, Home(root)), scope, launchd)


def failing(installed: OnLaunchd) -> list[str]:
    return [check.name for check in installed.status().checks if not check.ok]


def test_a_launch_agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    launchd = Launchd(["gui/501", "user/501"])
    agent = on_launchd(monkeypatch, tmp_path, launchd)
    assert failing(agent) == ["file"]
    view = agent.install()
    assert (view.ok, view.warnings) == (True, [])
    assert Path(view.file) == tmp_path / "Library/LaunchAgents/io.sentinel.plist"
    job = plistlib.loads(Path(view.file).read_bytes())
    assert job["ProgramArguments"] == [str(tmp_path / "bin/sentinel"), "startup", "run", "--stay"]
    assert job["EnvironmentVariables"]["A"] == "<&>"
    assert (job["RunAtLoad"], job["KeepAlive"], job["AbandonProcessGroup"]) == (True, False, True)
    assert Path(view.file).stat().st_mode & 0o022 == 0  # launchd refuses what others may write
    assert list(launchd.loaded) == ["gui/501/io.sentinel"]
    assert agent.install().ok  # once more: taken out and put in again
    launchd.disabled.add("io.sentinel")
    assert failing(agent) == ["enabled"]
    assert agent.uninstall().installed
    assert (launchd.loaded, failing(agent)) == ({}, ["file"])
    assert not agent.uninstall().installed


def test_over_ssh_there_is_no_gui_domain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    launchd = Launchd(["user/501"])
    view = on_launchd(monkeypatch, tmp_path, launchd, home="other").install()
    assert view.ok
    assert "login" in view.warnings[0]
    ((target, job),) = launchd.loaded.items()
    assert job["LimitLoadToSessionType"] == "Background"
    assert target.startswith("user/501/io.sentinel.")


def test_a_launch_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    daemon = on_launchd(monkeypatch, tmp_path, Launchd(["system"]), scope="system")
    assert daemon.file == Path("/Library/LaunchDaemons/io.sentinel.plist")
    job = plistlib.loads(daemon.text().encode())
    assert not {"ProcessType", "LimitLoadToSessionType"} & set(job)  # no throttling, and no session


def test_what_launchctl_answers_is_translated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    agent = on_launchd(monkeypatch, tmp_path, Launchd([]))
    with pytest.raises(BackendError, match="no such domain"):
        agent.install()
    assert "(launchctl: 150)" in str(translated("install", 150, ""))
    assert "strange words" in str(translated("install", 99, "x\nstrange words\n"))


def test_a_damaged_plist_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    agent = on_launchd(monkeypatch, tmp_path, Launchd(["gui/501"]))
    view = agent.install()
    for damage in (b"", b"<plist>", b"bplist00\xff"):
        Path(view.file).write_bytes(damage)
        assert "file" in failing(agent)
    job = plistlib.loads(agent.text().encode())
    job["ProgramArguments"][0] = str(tmp_path / "gone")
    Path(view.file).write_bytes(plistlib.dumps(job))
    assert failing(agent) == ["file", "program"]
