"""The engine's promises on a real service manager: start, stop, crash, restart, and an admin's doings."""

import os
import pwd
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from systemd_bench import DEADLINE, Bench, eventually, needs_root, needs_user, systemctl

from sentinel import identity
from sentinel.backends.base import Account, Launch, Seen, Started
from sentinel.backends.systemd import naming, reach, readback
from sentinel.backends.systemd.daemon_unit import DaemonUnit
from sentinel.backends.systemd.manager import Manager
from sentinel.backends.systemd.notebook import Note, Notebook
from sentinel.errors import BackendError, Conflict, LaunchError, SentinelError, Unsupported
from sentinel.model import Group, Limits, LogSettings, Record, Restart, RestartPolicy, Status
from sentinel.paths import Home

ALWAYS = RestartPolicy(Restart.ALWAYS, delay=0)
SLEEP = ["/bin/sleep", "1000"]


def see(bench: Bench, record: Record) -> Seen:
    return bench.backend.see([record])[record.id]


def last(bench: Bench, record: Record) -> tuple[int | None, int | None, str]:
    end = eventually(lambda: see(bench, record).exits)[-1]
    return end.code, end.signal, end.reason


def test_a_start_is_seen_and_a_second_one_makes_no_copy(bench: Bench) -> None:
    record = bench.record("web")
    launch = bench.launch(record, SLEEP)
    started = bench.start(launch)
    assert identity.alive(started.pid, started.start_time)
    for forgotten in (False, True):
        if forgotten:
            record.runtime.pid = None
        seen = see(bench, record)
        assert (seen.alive, seen.pid, seen.start_time, seen.run) == (True, started.pid, started.start_time, 1)
        assert seen.exits == []
        assert seen.restarts == 0
    again = bench.start(launch)
    assert (again.already, again.pid, again.run) == (True, started.pid, 1)


def test_stop_leaves_nothing_and_says_why(bench: Bench) -> None:
    record = bench.record("tree")
    started = bench.start(bench.sh(record, "sleep 1000 & (trap '' TERM; sleep 1001) & wait", cwd="/"))
    eventually(lambda: len(bench.backend.pids([record]).get(record.id, [])) >= 3)
    pids = bench.backend.pids([record])[record.id]
    assert pids[0] == started.pid
    record.spec.stop_timeout = 0.2
    assert bench.backend.stop([record], reason="restart") == {record.id: None}
    assert [pid for pid in pids if identity.start_time(pid) is not None] == []
    assert see(bench, record).alive is False
    assert last(bench, record) == (None, signal.SIGTERM, "restart")
    assert bench.backend.pids([record]) == {}
    assert bench.backend.stop([record]) == {record.id: None}


def test_one_that_ignores_its_signal_is_killed(bench: Bench) -> None:
    record = bench.record("mule", stop_timeout=0.2, restart=ALWAYS)
    ready = bench.directory / "ready"
    bench.start(bench.sh(record, f"trap '' TERM; : >{ready}; while :; do sleep 1000; done"))
    eventually(ready.exists)
    assert bench.backend.stop([record]) == {record.id: None}
    assert last(bench, record) == (None, signal.SIGKILL, "stop")


def test_force_kills_at_once_and_nothing_is_restarted(bench: Bench) -> None:
    record = bench.record("forced", stop_timeout=1000.0, restart=ALWAYS)
    bench.start(bench.sh(record, "trap '' TERM; while :; do sleep 1000; done"))
    assert bench.backend.stop([record], force=True) == {record.id: None}
    assert last(bench, record) == (None, signal.SIGKILL, "stop")
    assert not systemctl("list-units", "--all", "--plain", "--no-legend", record.unit or "").strip()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("exit 0", (0, None, "")),
        ("exit 7", (7, None, "")),
        ("exit 203", (203, None, "")),
        ("kill -TERM $$", (None, 15, "")),
        ("kill -KILL $$", (None, 9, "")),
        ("kill -USR1 $$", (None, 10, "")),
    ],
)
def test_every_end_is_recorded(bench: Bench, code: str, expected: tuple[int | None, int | None, str]) -> None:
    record = bench.record("ends")
    gate = bench.directory / "gate"
    bench.start(bench.sh(record, f"while ! [ -e {gate} ]; do sleep 0.02; done; {code}"))
    gate.touch()
    assert last(bench, record) == expected
    seen = eventually(lambda: None if see(bench, record).alive else see(bench, record))
    assert (seen.alive, seen.stopped_by) == (False, "")
    assert seen.exits[-1].run == 1
    assert abs((seen.exits[-1].at or 0) - time.time()) < 600
    bench.backend.forget_exits({record.id: 1})
    assert see(bench, record).exits == []


def test_one_that_ends_at_once_was_started(bench: Bench) -> None:
    record = bench.record("brief")
    for run, code in ((1, 0), (2, 3)):
        started = bench.start(bench.sh(record, f"exit {code}", run=run))
        assert started.pid > 1
        assert last(bench, record) == (code, None, "")


def test_a_crash_is_restarted(bench: Bench) -> None:
    record = bench.record("phoenix", restart=ALWAYS)
    first = bench.start(bench.launch(record, SLEEP))
    os.kill(first.pid, signal.SIGKILL)
    seen = eventually(lambda: _other(see(bench, record), first.pid))
    assert (seen.restarts, seen.run, seen.alive) == (1, 1, True)
    assert [(end.run, end.signal) for end in seen.exits] == [(1, signal.SIGKILL)]
    assert bench.backend.stop([record]) == {record.id: None}
    assert last(bench, record) == (None, signal.SIGTERM, "stop")


def _other(seen: Seen, pid: int) -> Seen | None:
    return seen if seen.alive and seen.pid != pid else None


def test_quick_deaths_back_off_and_a_start_does_not_wait(bench: Bench) -> None:
    record = bench.record("flapping", restart=RestartPolicy(Restart.ON_FAILURE, delay=1000.0))
    bench.start(bench.sh(record, "exit 1"))
    seen = eventually(lambda: _in(see(bench, record), Status.BACKOFF))
    assert (seen.alive, seen.pid, seen.stopped_by) == (False, None, "")
    assert last(bench, record) == (1, None, "")
    started = bench.start(bench.launch(record, SLEEP, run=2))
    assert not started.already
    assert see(bench, record).exits == []


def _in(seen: Seen, status: Status) -> Seen | None:
    return seen if seen.status is status else None


def test_a_stop_during_the_back_off_is_a_stop(bench: Bench) -> None:
    record = bench.record("waiting", restart=RestartPolicy(Restart.ALWAYS, delay=1000.0))
    bench.start(bench.sh(record, "exit 1"))
    eventually(lambda: _in(see(bench, record), Status.BACKOFF))
    assert bench.backend.stop([record]) == {record.id: None}
    seen = see(bench, record)
    assert (seen.alive, seen.status, seen.stopped_by) == (False, None, "")
    assert last(bench, record) == (1, None, "stop")


def test_it_gives_up_after_max_restarts(bench: Bench) -> None:
    record = bench.record("hopeless", restart=RestartPolicy(Restart.ALWAYS, delay=0.01, max_restarts=3))
    counter = bench.directory / "count"
    bench.start(bench.sh(record, f"echo >>{counter}; exit 4"))
    seen = eventually(lambda: _in(see(bench, record), Status.FAILED))
    assert counter.read_text() == "\n" * 4
    assert (seen.alive, seen.restarts, seen.stopped_by) == (False, 3, "")
    assert last(bench, record) == (4, None, "")
    bench.start(bench.launch(record, SLEEP, run=2))
    assert see(bench, record).alive


@pytest.mark.parametrize("mode", list(Restart))
def test_an_administrators_stop_is_told_from_an_own_end(bench: Bench, mode: Restart) -> None:
    record = bench.record("administered", restart=RestartPolicy(mode))
    ready = bench.directory / "ready"
    bench.start(bench.sh(record, f"trap 'exit 0' TERM; : >{ready}; while :; do sleep 0.05; done"))
    eventually(ready.exists)
    systemctl("stop", record.unit or "")
    seen = see(bench, record)
    assert (seen.alive, seen.stopped_by) == (False, "systemd")
    assert last(bench, record) == (0, None, "systemd")
    bench.start(bench.launch(record, SLEEP, run=2))
    assert see(bench, record).stopped_by == ""


def test_an_administrators_restart_goes_on_as_ours(bench: Bench) -> None:
    record = bench.record("restarted")
    gate = bench.directory / "gate"
    first = bench.start(bench.sh(record, f"while ! [ -e {gate} ]; do sleep 0.02; done; exit 0"))
    systemctl("restart", record.unit or "")
    seen = eventually(lambda: _other(see(bench, record), first.pid))
    assert (seen.run, seen.stopped_by) == (1, "")
    gate.touch()
    seen = eventually(lambda: None if see(bench, record).alive or see(bench, record).status else see(bench, record))
    assert (seen.stopped_by, last(bench, record)) == ("", (0, None, ""))


def test_a_failed_leftover_is_no_hindrance(bench: Bench) -> None:
    record = bench.record("leftover")
    bench.start(bench.sh(record, "exit 1"))
    eventually(lambda: systemctl("is-failed", record.unit or "").strip() == "failed")
    bench.start(bench.launch(record, SLEEP, run=2))
    assert see(bench, record).alive


def test_thirty_cycles(bench: Bench) -> None:
    record = bench.record("cycling", restart=ALWAYS)
    for run in range(1, 31):
        assert not bench.start(bench.launch(record, SLEEP, run=run)).already
        assert bench.backend.stop([record]) == {record.id: None}


def test_a_start_while_an_administrators_stop_is_pending_waits_for_it(bench: Bench) -> None:
    record = bench.record("slow", stop_timeout=1000.0)
    ready, gate = bench.directory / "ready", bench.directory / "gate"
    ending = f"while ! [ -e {gate} ]; do sleep 0.02; done; exit 0"
    first = bench.start(bench.sh(record, f"trap '{ending}' TERM; : >{ready}; while :; do sleep 0.05; done"))
    eventually(ready.exists)
    systemctl("stop", "--no-block", record.unit or "")
    eventually(lambda: _in(see(bench, record), Status.STOPPING))
    timer = threading.Timer(0.3, gate.touch)
    timer.start()
    second = bench.start(bench.launch(record, SLEEP, run=2))
    timer.join()
    assert (second.already, second.pid != first.pid) == (False, True)


def test_many_at_once(bench: Bench) -> None:
    records = [bench.record(f"n{at}") for at in range(20)]
    launches = [bench.launch(record, SLEEP) for record in records]
    launches[7].program = launches[7].argv[0] = "/no/such/program"
    results = bench.backend.start(launches)
    assert [isinstance(results[record.id], Started) for record in records] == [at != 7 for at in range(20)]
    seen = bench.backend.see(records)
    assert [seen[record.id].alive for record in records] == [at != 7 for at in range(20)]
    assert set(bench.backend.stop(records).values()) == {None}


def test_launch_failures_are_told_in_words(bench: Bench, tmp_path: Path) -> None:
    record = bench.record("broken", restart=ALWAYS)
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    plain = tmp_path / "plain"
    plain.write_text("text")
    cases: list[tuple[Launch, str]] = [
        (bench.launch(record, ["/no/such"]), "no such file"),
        (bench.launch(record, [str(script)]), "interpreter /no/such/interpreter"),
        (bench.launch(record, [str(plain)]), "permission denied"),
        (bench.launch(record, SLEEP, cwd="/no/such/directory"), "working directory"),
    ]
    for launch, words in cases:
        error = bench.backend.start([launch])[record.id]
        assert isinstance(error, LaunchError)
        assert words in str(error)
        assert "org.freedesktop" not in str(error)
        assert see(bench, record) == Seen()


def test_output_that_cannot_be_written_is_a_launch_error(bench: Bench) -> None:
    record = bench.record("mute", logs=LogSettings(kind="file"))
    launch = bench.launch(record, SLEEP)
    launch.stdout = "/no/such/directory/out"
    assert isinstance(bench.backend.start([launch])[record.id], SentinelError)
    assert not see(bench, record).alive


def test_file_logs_are_appended_to_and_private(bench: Bench) -> None:
    record = bench.record("filed", logs=LogSettings(kind="file"))
    for run in (1, 2):
        bench.start(bench.sh(record, "echo out; echo err >&2; exec sleep 1000", run=run))
        eventually(lambda: bench.home.log("filed", "stderr").read_text() == "err\n" * run)  # noqa: B023
        bench.backend.stop([record])
    assert bench.home.log("filed", "stdout").read_text() == "out\n" * 2
    assert bench.home.log("filed", "stdout").stat().st_mode & 0o777 == 0o600


READY = (
    "import os,socket,sys,time\n"
    "while not os.path.exists(sys.argv[1]): time.sleep(0.02)\n"
    "s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);a=os.environ['NOTIFY_SOCKET']\n"
    "s.connect('\\0'+a[1:] if a[0]=='@' else a);s.send(b'READY=1');time.sleep(1000)\n"
)


def test_readiness_is_waited_for(bench: Bench) -> None:
    record = bench.record("notifier")
    gate = bench.directory / "gate"
    started = bench.start(bench.python(record, READY, str(gate), notify=True))
    seen = see(bench, record)
    assert (seen.alive, seen.ready, seen.status, seen.pid) == (True, False, Status.STARTING, started.pid)
    late = bench.backend.wait_ready([record], 0.05)[record.id]
    assert isinstance(late, LaunchError)
    gate.touch()
    assert bench.backend.wait_ready([record], DEADLINE) == {record.id: None}
    assert (see(bench, record).ready, see(bench, record).status) == (True, None)


def test_one_that_ends_before_it_is_ready_is_told(bench: Bench) -> None:
    record = bench.record("unready")
    gate = bench.directory / "gate"
    bench.start(bench.sh(record, f"while ! [ -e {gate} ]; do sleep 0.02; done; exit 5", notify=True))
    gate.touch()
    error = bench.backend.wait_ready([record], DEADLINE)[record.id]
    assert isinstance(error, LaunchError)
    assert "ended" in str(error)
    assert last(bench, record) == (5, None, "")


def test_groups_are_slices_that_never_nest(bench: Bench) -> None:
    for name in ("a", "a-b"):
        bench.backend.apply_group(Group(name, tasks_max=100))
    a, ab = bench.record("one", group="a"), bench.record("two", group="a-b")
    for record in (a, ab):
        bench.start(bench.launch(record, SLEEP))
    slices = [naming.slice_name(name, bench.home) for name in ("a", "a-b")]
    assert systemctl("show", a.unit or "", "-p", "Slice", "--value").strip() == slices[0]
    systemctl("stop", slices[0])
    assert (see(bench, a).alive, see(bench, a).stopped_by, see(bench, ab).alive) == (False, "systemd", True)
    bench.start(bench.launch(a, SLEEP, run=2))
    assert systemctl("show", slices[0], "-p", "TasksMax", "--value").strip() == "100"
    bench.backend.apply_group(Group("a", tasks_max=200))
    assert systemctl("show", slices[0], "-p", "TasksMax", "--value").strip() == "200"
    bench.backend.stop([a, ab])
    for name in ("a", "a-b"):
        bench.backend.remove_group(name)
        bench.backend.remove_group(name)
    assert not any(name in systemctl("list-units", "--all", "--plain", "--no-legend", "*.slice") for name in slices)


def test_the_slice_of_a_removed_group_goes_with_its_last_process(bench: Bench) -> None:
    bench.backend.apply_group(Group("a", tasks_max=100))
    record = bench.record("one", group="a")
    bench.start(bench.launch(record, SLEEP))
    name = naming.slice_name("a", bench.home)
    bench.backend.remove_group("a")
    assert see(bench, record).alive
    assert name in systemctl("list-units", "--plain", "--no-legend", "*.slice")
    bench.backend.stop([record])
    assert name not in systemctl("list-units", "--all", "--plain", "--no-legend", "*.slice")


def test_two_homes_never_meet(bench: Bench, tmp_path: Path) -> None:
    other = Bench(Home(tmp_path / "other"), tmp_path)
    mine, theirs = bench.record("same"), other.record("same")
    assert mine.unit != theirs.unit
    bench.start(bench.launch(mine, SLEEP))
    other.start(other.launch(theirs, SLEEP))
    bench.backend.stop([mine])
    assert see(other, theirs).alive
    other.clean()


@pytest.mark.parametrize("name", ["a b", "ä-😀", "..", "x" * 128, "😀" * 128, "daemon", "%n$HOME'\"", "-"])
def test_any_name_starts(bench: Bench, name: str) -> None:
    record = bench.record(name)
    bench.start(bench.launch(record, SLEEP))
    assert see(bench, record).alive


def test_limits_are_in_force_or_told(bench: Bench) -> None:
    limits = Limits(nice=5, ionice="idle", nofile=64, memory_max=64 * 1024 * 1024)
    record = bench.record("limited", limits=limits)
    started = bench.start(bench.launch(record, SLEEP))
    assert os.getpriority(os.PRIO_PROCESS, started.pid) == 5
    assert readback.open_files(started.pid) == 64
    assert all("memory" in note for note in started.notes)
    controllers = Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
    assert len(started.notes) == (0 if "memory" in controllers else 1)


@needs_user
def test_what_a_user_manager_cannot_do_is_refused_or_told(bench: Bench) -> None:
    for limits in (Limits(nice=-5), Limits(ionice="realtime:0")):
        with pytest.raises(Unsupported):
            bench.backend.refuse(bench.record("refused", limits=limits).spec, None)
    with pytest.raises(Unsupported):
        bench.backend.refuse(bench.record("refused", user="root").spec, None)
    me = pwd.getpwuid(os.geteuid()).pw_name
    bench.backend.refuse(bench.record("refused", user=me).spec, None)
    record = bench.record("greedy", limits=Limits(nofile=1 << 30))
    assert any("open files" in note for note in bench.start(bench.launch(record, SLEEP)).notes)


@needs_root
@pytest.mark.parametrize("beyond", ["", "\x1b"])
def test_root_runs_as_another_user(bench: Bench, beyond: str) -> None:
    found = pwd.getpwnam("nobody")
    account = Account("nobody", found.pw_uid, found.pw_gid, (found.pw_gid,), "/", "/bin/sh")
    record = bench.record("other", user="nobody", restart=RestartPolicy(Restart.ALWAYS))
    env = {"PATH": "/usr/bin:/bin", "HOME": "/elsewhere", "SECRET": "s" + beyond}
    launch = bench.launch(record, SLEEP, env=env, account=account, cwd="/")
    first = bench.start(launch)
    assert Path(f"/proc/{first.pid}").stat().st_uid == found.pw_uid
    wanted = {b"HOME=/elsewhere", f"SECRET=s{beyond}".encode()}  # may be set by a script, which then executes it
    eventually(lambda: wanted <= set(Path(f"/proc/{first.pid}/environ").read_bytes().split(b"\0")))
    os.kill(first.pid, signal.SIGKILL)
    seen = eventually(lambda: _other(see(bench, record), first.pid))
    assert [end.signal for end in seen.exits] == [signal.SIGKILL]
    assert bench.backend.stop([record]) == {record.id: None}
    assert last(bench, record) == (None, signal.SIGTERM, "stop")


@needs_root
def test_the_hooks_of_another_users_process_get_none_of_its_variables(bench: Bench) -> None:
    """They run as root, and a PATH or LD_PRELOAD may come from a .env that the other user wrote."""
    theirs = bench.directory / "theirs"
    theirs.mkdir()
    for name in ("sleep", "dd"):
        (theirs / name).write_text(f'#!/bin/sh\nid -u >>{theirs}/who\nexec /bin/{name} "$@"\n')
        (theirs / name).chmod(0o755)
    found = pwd.getpwnam("nobody")
    account = Account("nobody", found.pw_uid, found.pw_gid, (found.pw_gid,), "/", "/bin/sh")
    record = bench.record("other", user="nobody", restart=RestartPolicy(Restart.ALWAYS))
    bench.start(bench.sh(record, "exit 1", env={"PATH": f"{theirs}:/usr/bin:/bin"}, account=account, cwd="/"))
    eventually(lambda: (see(bench, record).restarts or 0) >= 2)
    assert systemctl("show", record.unit or "", "-p", "EnvironmentFiles,Environment", "--value").split() == []
    assert not (theirs / "who").exists()


@needs_root
def test_an_unknown_user_is_told(bench: Bench) -> None:
    record = bench.record("nobody-knows", user="no-such-user")
    account = Account("no-such-user", 4_000_000, 4_000_000, (), "/", "/bin/sh")
    error = bench.backend.start([bench.launch(record, SLEEP, account=account, cwd="/")])[record.id]
    assert isinstance(error, LaunchError)
    assert "user" in str(error)


def test_what_another_process_started_is_known_here(bench: Bench) -> None:
    """As one command after the other: each has a backend of its own."""
    record = bench.record("shared")
    bench.start(bench.launch(record, SLEEP))
    bench.backend.close()
    other = type(bench.backend)(bench.home)
    assert other.see([record])[record.id].alive
    assert other.stop([record]) == {record.id: None}
    other.close()
    assert last(bench, record) == (None, signal.SIGTERM, "stop")


def test_the_manager_reexecuted_meanwhile_changes_nothing(bench: Bench) -> None:
    record = bench.record("steady")
    started = bench.start(bench.launch(record, SLEEP))
    scope = [] if os.geteuid() == 0 else ["--user"]
    subprocess.run(["systemctl", *scope, "daemon-reload"], check=True, timeout=DEADLINE)
    assert see(bench, record).pid == started.pid
    assert bench.backend.stop([record]) == {record.id: None}
    assert see(bench, record).stopped_by == ""


def test_a_manager_that_went_away_took_it_along(bench: Bench) -> None:
    """After a logout or a reboot nobody meant this process: it is lost, not stopped by an administrator."""
    record = bench.record("lost", restart=ALWAYS)
    bench.start(bench.launch(record, SLEEP))
    systemctl("stop", record.unit or "")
    assert see(bench, record).stopped_by == "systemd"
    notebook = Notebook(bench.home)
    note = notebook.read(record.id)
    assert note is not None
    for boot, manager in (("another boot", note.manager), (note.boot, "another life")):
        note.boot, note.manager = boot, manager
        notebook.write(record.id, note)
        seen = see(bench, record)
        assert (seen.alive, seen.stopped_by) == (False, "")
        assert [(end.run, end.known, end.reason) for end in seen.exits] == [(1, False, "")]


def test_a_starter_that_was_killed_is_told_from_one_that_still_starts(bench: Bench) -> None:
    record = bench.record("half")
    notebook = Notebook(bench.home)
    notebook.prepare()
    now = Note(record.unit or "", 1, identity.boot_id(), "life", time.time())
    notebook.write(record.id, now)
    assert see(bench, record) == Seen(status=Status.STARTING)
    now.at -= 3600
    notebook.write(record.id, now)
    assert see(bench, record) == Seen()
    bench.start(bench.launch(record, SLEEP))
    assert see(bench, record).alive


def test_a_lost_home_still_finds_what_runs(bench: Bench) -> None:
    record = bench.record("orphan")
    started = bench.start(bench.launch(record, SLEEP))
    shutil.rmtree(bench.home.run)
    record.runtime.pid = None
    seen = see(bench, record)
    assert (seen.alive, seen.pid) == (True, started.pid)
    assert bench.start(bench.launch(record, SLEEP)).already
    assert bench.backend.stop([record]) == {record.id: None}


def test_a_foreign_unit_of_the_same_name_is_left_alone(bench: Bench) -> None:
    record = bench.record("foreign")
    user = os.geteuid() != 0
    directory = Path("/run/systemd/system") if not user else Path(os.environ["XDG_RUNTIME_DIR"]) / "systemd/user"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / (record.unit or "")
    path.write_text("[Service]\nExecStart=/bin/sleep 1000\n")
    try:
        systemctl("daemon-reload")
        error = bench.backend.start([bench.launch(record, SLEEP)])[record.id]
        assert isinstance(error, Conflict)
    finally:
        path.unlink()
        systemctl("daemon-reload")


@pytest.mark.parametrize("ready", [True, False])
def test_the_daemon_is_a_unit(binding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: bool) -> None:
    """With a stand-in for sentinel itself, which says that it is ready or ends."""
    package = tmp_path / "python" / "sentinel"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    says = (
        READY.replace("while not os.path.exists(sys.argv[1]): time.sleep(0.02)", "") if ready else "raise SystemExit(3)"
    )
    (package / "__main__.py").write_text(says)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    home = Home(tmp_path / "home")
    home.prepare()
    unit = DaemonUnit(home)
    try:
        assert unit.pid() is None
        if ready:
            pid = unit.start()
            assert unit.start() == pid == unit.pid()
            assert f"SENTINEL_HOME={home.root}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
            assert abs((unit.since() or 0) - time.time()) < 600
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: unit.pid() != pid)
            assert unit.start() != pid  # whether it waits for its restart or is there again
        else:
            with pytest.raises(BackendError, match="cannot start the daemon"):
                unit.start()
    finally:
        unit.stop()
    unit.stop()
    assert unit.pid() is None
    assert not systemctl("list-units", "--all", "--plain", "--no-legend", unit.unit).strip()
    unit.close()


@needs_user
def test_linger_can_be_turned_on_for_oneself(binding: str) -> None:
    reach.enable_linger()
    assert reach.survives_logout()


def test_the_bus_is_found_without_its_variables(binding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, "unix:path=/no/such/bus"):
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        if value is None:
            monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        else:
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", value)
        found = Manager(reach.reach())
        assert isinstance(found.units(), dict)
        found.close()


def test_the_common_slice_goes_with_the_last_unit(bench: Bench) -> None:
    def others() -> str:
        return systemctl("list-units", "--all", "--plain", "--no-legend", "sentinel-*")

    record = bench.record("only")
    bench.start(bench.launch(record, SLEEP))
    assert naming.ROOT_SLICE in systemctl("list-units", "--plain", "--no-legend", "*.slice")
    bench.backend.stop([record])
    eventually(lambda: others().strip() or systemctl("is-active", naming.ROOT_SLICE).strip() == "inactive")
