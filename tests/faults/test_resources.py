"""No space, a read-only file system, no descriptors, no processes, no home: refused in a sentence, nothing lost."""

from __future__ import annotations

import errno
import gc
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import lab
import pytest
from faultlab import CRASHED, REFUSED, House

from sentinel.model import Restart, RestartPolicy

Mount = Callable[..., None]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount something for the test; unmounted after it, and asserted to be."""
    if os.geteuid() != 0:
        lab.skip("only root can mount")
    made: list[Path] = []

    def do(where: Path, *args: str) -> None:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        subprocess.run(["mount", *args, str(where)], check=True)
        made.append(where)

    yield do
    for where in reversed(made):  # busy until the keeper has ended
        lab.eventually(lambda where=where: subprocess.run(["umount", str(where)], check=False).returncode == 0)
    problems = lab.end_everything(tmp_path, set())
    assert not problems, "the test left things behind:\n" + "\n".join(problems)


@pytest.fixture
def mounted(mount: Mount, tmp_path: Path) -> Iterator[House]:
    """A home that ends before its file system does."""
    made = House(tmp_path / "home", tmp_path / "marks")
    yield made
    made.close()


def test_a_full_disk(mounted: House, mount: Mount) -> None:
    house = mounted
    mount(house.root, "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs")
    house.run("pin")
    house.run("w")
    house.daemon_up(log=house.home.daemon_log)
    first = house.restarted_by_the_daemon("w")
    filler = house.root / "filler"
    _fill(filler)
    assert house.forked(lambda s: s.run(house.request("more"))) == REFUSED
    assert house.forked(lambda s: s.stop(["w"])) == REFUSED
    assert house.copies("w") == [first]
    os.kill(first, signal.SIGKILL)
    lab.eventually(lambda: not lab.alive(first))
    assert house.forked(lambda s: s.list()) in (0, REFUSED)
    keeper = house.keeper_pid()
    assert "w" in [record.name for record in house.state().processes.values()]
    filler.unlink()
    assert house.keeper_pid() == keeper
    assert house.daemons[0].poll() is None
    second = house.only_copy("w")
    assert second != first
    lab.eventually(lambda: [each["run"] for each in house.exits("w")] == list(range(1, len(house.starts("w")))))
    assert house.exits("w")[1] == {"run": 2, "exit_signal": 9, "clean": False}
    house.run("more")
    house.check_no_orphans()
    house.check_no_leaks()


def _fill(path: Path) -> None:
    """Until not a byte is free."""
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017


def test_a_read_only_file_system(mounted: House, mount: Mount) -> None:
    house = mounted
    pid = house.run("w")
    mount(house.root, "--bind", str(house.root))
    subprocess.run(["mount", "-o", "remount,bind,ro", str(house.root)], check=True)
    assert [view.name for view in house.supervisor.list().processes] == ["w"]
    for work in (
        lambda s: s.run(house.request("more")),
        lambda s: s.stop(["w"]),
        lambda s: s.restart(["w"]),
        lambda s: s.delete(["w"]),
        lambda s: s.group_create("g", {}, None),
    ):
        assert house.forked(work) == REFUSED
    assert house.copies("w") == [pid]
    subprocess.run(["mount", "-o", "remount,bind,rw", str(house.root)], check=True)
    house.supervisor.restart(["w"])
    assert house.only_copy("w") != pid


@pytest.mark.parametrize("new_one", [False, True], ids=["gone", "there is a new one"])
def test_a_home_that_is_removed(house: House, tmp_path: Path, new_one: bool) -> None:
    """Its daemon ends, what ran runs on, and neither it nor its keeper meddles with a new home of the same path."""
    house.run("w")
    house.run("other", restart=RestartPolicy(Restart.NO))
    daemon = house.daemon_up()
    pid = house.restarted_by_the_daemon("w")
    other, keeper = house.only_copy("other"), house.keeper_pid()
    house.root.rename(tmp_path / "gone")  # at one blow: nothing is made in it while it is taken apart
    shutil.rmtree(tmp_path / "gone")
    if new_one:
        house.run("new")  # has the same id as w had
    os.kill(other, signal.SIGKILL)  # which the daemon is told of
    assert daemon.wait(lab.WITHIN) == 0
    if not new_one:
        house.run("new")
    assert house.copies("w") == [pid]
    assert _doubtful(house) == [f"pid {pid} was started"]
    os.kill(pid, signal.SIGTERM)  # as the doctor says
    gc.collect()  # our own connections to that keeper
    lab.eventually(lambda: lab.gone(pid, keeper))
    assert _doubtful(house) == []
    assert len(house.starts("new")) == 1
    house.only_copy("new")
    assert house.exits("new") == []
    house.supervisor.restart(["new"])
    house.only_copy("new")
    house.check_no_leaks()


def _doubtful(house: House) -> list[str]:
    """What the doctor says of processes that run, in short."""
    checks = [check for check in house.supervisor.doctor() if check.name == "processes" and check.status != "ok"]
    return [" ".join(check.message.split()[:4]) for check in checks]


def test_hardly_any_descriptors_for_a_command(house: House) -> None:
    house.run("w")
    house.run("more")  # what is imported late is imported now: a command line has it by then
    house.supervisor.delete(["more"])
    house.supervisor.restart(["w"])
    last = house.only_copy("w")
    for spare in range(7):

        def few(spare: int = spare) -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            taken = _take_descriptors()
            for fd in taken[len(taken) - spare :]:
                os.close(fd)

        for work in (lambda s: s.list(), lambda s: s.restart(["w"]), lambda s: s.run(house.request("more"))):
            assert house.forked(work, prepare=few) != CRASHED, spare
        if "more" in house.supervisor.names():
            house.supervisor.delete(["more"])
        last = house.only_copy("w")
    assert last
    house.check_no_orphans()
    house.check_no_leaks()


def _take_descriptors() -> list[int]:
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return taken


def test_no_descriptors_for_the_keeper_and_the_daemon(house: House) -> None:
    house.run("pin")
    house.run("w")
    daemon = house.daemon_up()
    first = house.restarted_by_the_daemon("w")
    keeper = house.keeper_pid()
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in (daemon.pid, keeper)}
    for pid in before:
        highest = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, before[pid][1]))
    os.kill(first, signal.SIGKILL)
    lab.eventually(lambda: not lab.alive(first))
    for pid, limits in before.items():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert house.only_copy("w") != first
    assert lab.alive(keeper)
    assert daemon.poll() is None
    lab.eventually(lambda: [each["exit_signal"] for each in house.exits("w")] == [9, 9])
    house.check_no_orphans()


def test_no_processes_left(tmp_path: Path) -> None:
    """RLIMIT_NPROC holds for everybody but root."""
    if os.geteuid() != 0:
        lab.skip("only root can become somebody else")
    uid = "61753"  # nobody's
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, int(uid), int(uid))
    become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=+dac_read_search",
              "--ambient-caps=+dac_read_search"]  # fmt: skip
    env = {**os.environ, "SENTINEL_HOME": str(home), "HOME": str(home), "SENTINEL_BACKEND": "native"}

    def sentinel(*args: str, processes: str = "64") -> subprocess.CompletedProcess[str]:
        argv = [*become, "prlimit", f"--nproc={processes}", sys.executable, "-m", "sentinel", *args]
        return subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True, timeout=lab.WITHIN, check=False)

    refused = sentinel("run", "sleep 1000", "--name", "w", processes="1")
    assert refused.returncode == 1, refused
    assert refused.stderr.startswith("error: cannot start"), refused
    assert "Traceback" not in refused.stderr
    done = sentinel("run", "sleep 1000", "--name", "w", "--instances", "2")
    assert done.returncode == 0, done
    assert sentinel("delete", "w-1", "w-2").returncode == 0
    assert not lab.end_everything(tmp_path, set())


@pytest.fixture
def little_memory(tmp_path: Path) -> Iterator[Path | None]:
    """A control group with room for 32 MB; None: no memory controller can be used here."""
    root = Path("/sys/fs/cgroup")
    old = (root / "memory/memory.limit_in_bytes").exists()
    group = root / ("memory" if old else "") / f"sentinel-test-{os.getpid()}"
    try:
        group.mkdir()
        if old:
            limits = ["memory.limit_in_bytes"]
            limits += ["memory.memsw.limit_in_bytes"] if (group / "memory.memsw.limit_in_bytes").exists() else []
        else:
            limits = ["memory.max", *(["memory.swap.max"] if (group / "memory.swap.max").exists() else [])]
        for limit in limits:
            (group / limit).write_text("0" if "swap.max" in limit else str(32 << 20))
    except OSError as error:
        print(f"no memory controller: {error}")
        yield None
    else:
        yield group
    if group.exists():
        lab.eventually(lambda: group.rmdir() or True)


def _oom_kills(group: Path) -> int:
    told = next(path for name in ("memory.oom_control", "memory.events") if (path := group / name).exists())
    counts = dict(line.split() for line in told.read_text().splitlines())
    return int(counts["oom_kill"])


EATER = """import os, sys, time
if sys.argv[2]:
    open(sys.argv[2] + "/cgroup.procs", "w").write(str(os.getpid()))
if os.fork() == 0:  # of the tree, and not hungry
    open(sys.argv[1] + ".new", "w").write(str(os.getpid()))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    while True: os.read(os.pipe()[0], 1)
while not os.path.exists(sys.argv[1]): time.sleep(0.01)
print(os.getpid(), file=open(sys.argv[3], "a"), flush=True)
if len(open(sys.argv[3]).readlines()) == 1:
    while not os.path.exists(sys.argv[1] + ".eat"): time.sleep(0.01)
    food = []
    while sys.argv[2]: food.append(bytearray(os.urandom(1 << 20)))
os.read(os.pipe()[0], 1)
"""


def test_the_oom_killer_takes_a_process(house: House, little_memory: Path | None) -> None:
    """The main process, while a child of it lives: how it ended is told, its tree ends, and it runs again, once.

    By the kernel's own hand where a control group of ours can be made; else with the signal that it sends.
    """
    child, starts = house.marks / "child", house.marks / "w.starts"
    first = house.run("w", [sys.executable, "-ISc", EATER, str(child), str(little_memory or ""), str(starts)])
    lab.eventually(lambda: house.starts("w") == [first])
    old = int(child.read_text())
    house.daemon_up()
    child.with_name("child.eat").touch()
    if little_memory is None:
        os.kill(first, signal.SIGKILL)
    lab.eventually(lambda: lab.gone(first, old))
    if little_memory is not None:
        assert _oom_kills(little_memory) == 1
    lab.eventually(lambda: len(house.starts("w")) == 2)
    house.only_copy("w")
    lab.eventually(lambda: house.exits("w") == [{"run": 1, "exit_signal": 9, "clean": False}])
    house.supervisor.delete(["w"])
