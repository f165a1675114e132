"""Nobody else can read what is ours, and root is not led out of its home by links."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path

import lab
import pytest
from faultlab import CRASHED, House, ended

from sentinel.supervisor.facade import Supervisor

SOMEBODY = 61754  # a uid that nobody has


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o137])
def test_modes_under_any_umask(house: House, umask: int) -> None:
    """All files 0600 and directories 0700, whatever the umask of who made them."""

    def work(s: Supervisor) -> None:
        s.run(house.request("w", ["/bin/sh", "-c", "echo out; echo err >&2; exec sleep 1000"], env={"A": "b"}))
        s.group_create("g", {"B": "c"}, None)
        s.restart(["w"])
        s.list()

    assert house.forked(work, prepare=lambda: os.umask(umask)) == 0
    old = os.umask(umask)
    try:
        house.daemon_up()
    finally:
        os.umask(old)
    lab.eventually(lambda: house.home.log("w", "stdout").read_text() and house.home.log("w", "stderr").read_text())

    def check() -> None:
        wrong = {}
        for path in [house.root, *house.root.rglob("*")]:
            mode = stat.S_IMODE(path.lstat().st_mode)
            if mode != (0o700 if path.is_dir() else 0o600):
                wrong[path.name] = oct(mode)
        assert not wrong

    lab.eventually(check)  # the daemon's temporary files come and go


TARGETS = ["state.json", "state.json.bak", "state.lock", "claims.lock", "events.jsonl", "environments/1.json",
           "logs/w.stdout.log", "logs/w.stderr.log", "logs/.keeper.log", "run/daemon.pid", "run/keeper.lock",
           "run/keeper.sock", "run/keeper.runs", "run/daemon.fifo", "logs/w.stdout.log.1"]  # fmt: skip


@pytest.mark.parametrize("hard", [False, True], ids=["symlink", "hard link"])
def test_links_in_the_home(house: House, tmp_path: Path, hard: bool) -> None:
    """What somebody has linked into the home is not written to, emptied or given other modes: done or refused."""
    for number, name in enumerate(TARGETS):
        root = tmp_path / f"home-{number}"
        other = House(root, tmp_path / "marks")
        other.home.prepare()
        victim = tmp_path / f"victim-{number}"
        victim.write_text("precious")
        victim.chmod(0o644)
        if hard and name.startswith("logs/w") and os.geteuid() != 0:
            continue  # a hard link to a file of one's own is no trick
        (os.link if hard else os.symlink)(victim, root / name)
        for work in (
            lambda s, h=other: s.run(h.request("w", ["/bin/sh", "-c", "echo mine; exec sleep 1000"])),
            lambda s: s.list(),
            lambda s: s.restart(["w"]),
            lambda s: s.log_clear(["w"]),
        ):
            assert other.forked(work) != CRASHED, name
        if name.startswith(("run/d", "state.json")):
            d = other.daemon()
            lab.eventually(lambda o=other, d=d: d.poll() is not None or o.supervisor.daemon_status().pid == d.pid)
        if not hard or name.startswith("logs/w."):
            assert victim.read_text() == "precious", name
            assert stat.S_IMODE(victim.stat().st_mode) == 0o644, name
        assert victim.stat().st_uid == os.geteuid()
        if (root / name).exists() and os.path.samefile(root / name, victim):
            (root / name).unlink()
        other.close()


def test_a_log_directory_that_leads_elsewhere(house: House, tmp_path: Path) -> None:
    """A FIFO, a device, a directory in the place of a log: refused, and nobody hangs."""
    for make in (os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/full", path)):
        house.home.prepare()
        log = house.home.log("w", "stdout")
        make(log)
        assert house.forked(lambda s: s.run(house.request("w"))) != CRASHED
        assert house.forked(lambda s: s.log_clear(["w"])) != CRASHED
        if "w" in house.supervisor.names():
            house.supervisor.delete(["w"])
        os.rmdir(log) if log.is_dir() else log.unlink(missing_ok=True)


def test_another_user_is_refused_by_the_keeper(house: House) -> None:
    """Even where the modes would let it in: peer credentials."""
    if os.geteuid() != 0:
        lab.skip("only root can become somebody else")
    pid = house.run("w")
    for directory in (house.home.run, *house.home.run.parents):
        if directory.stat().st_uid == 0 and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o055) if directory.is_relative_to(house.root) else None
    house.home.keeper_socket.chmod(0o666)
    here = os.open(house.home.run, os.O_RDONLY)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.fchdir(here)
            os.setgroups([])
            os.setresgid(SOMEBODY, SOMEBODY, SOMEBODY)
            os.setresuid(SOMEBODY, SOMEBODY, SOMEBODY)
            code = _ask("keeper.sock")
        finally:
            os._exit(code)
    os.close(here)
    assert ended(child) == 0
    assert house.copies("w") == [pid] or lab.eventually(lambda: house.copies("w") == [pid])
    assert house.view("w").pid == pid


def _ask(address: str) -> int:
    """0: the connection was closed without a word."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(lab.WITHIN)
        sock.connect(address)
        try:
            sock.sendall(b'{"op":"stop","seq":1,"id":1,"force":true}\n{"op":"tell","seq":2}\n')
            return 2 if sock.recv(1000) else 0
        except (BrokenPipeError, ConnectionResetError):
            return 0


def test_a_home_of_somebody_else_is_refused(house: House) -> None:
    if os.geteuid() != 0:
        lab.skip("only root can give files away")
    house.root.mkdir()
    os.chown(house.root, SOMEBODY, SOMEBODY)
    assert house.forked(lambda s: s.run(house.request("w"))) == 3
    assert not list(house.root.iterdir())


SECRET = "s3cr3t-" + os.urandom(8).hex()


def test_secrets_are_in_no_argument_and_no_open_file(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPTURED", SECRET)
    file = house.marks / "env"
    file.write_text(f"FROM_FILE={SECRET}\n")
    file.chmod(0o600)
    house.supervisor.group_create("g", {"GROUP": SECRET}, None)
    script = 'echo "$CAPTURED$FROM_FILE$GROUP$OPTION" >"$0"; exec sleep 1000'
    house.run("w", ["/bin/sh", "-c", script, str(house.marks / "seen")], group="g", env={"OPTION": SECRET},
              env_file=str(file))  # fmt: skip
    house.daemon_up(CAPTURED=SECRET)
    lab.eventually(lambda: (house.marks / "seen").read_text() == SECRET * 4 + "\n")
    house.supervisor.restart(["w"], update_env=True)
    needle = SECRET.encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert needle not in path.read_bytes(), path
        except OSError:
            continue

    def check() -> None:
        for path in house.root.rglob("*"):
            if path.is_file() and needle in path.read_bytes():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
                assert path.parent.name not in ("logs", "run", "exits"), path

    lab.eventually(check)
    assert needle not in house.home.events.read_bytes()
