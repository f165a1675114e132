"""The keeper starts processes: what they are given, what fails, who else may ask."""

from __future__ import annotations

import os
import resource
import socket
import stat
import subprocess
import sys
from pathlib import Path

import lab
import pytest
from keeperlab import Lab, kill, next_exit

from sentinel import identity
from sentinel.backends.native.client import Keeper, KeeperGone, read_exits, remove_exits
from sentinel.errors import BackendError
from sentinel.paths import Home

LINUX = sys.platform == "linux"


def test_a_process_gets_what_was_asked_for_and_nothing_else(keep, programs):
    keeper = keep.connect()
    inherited = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        reply = keep.spawn(keeper, 1, programs.report("report", "a b", ""), env={"ONE": "1"}, nice=3, nofile=99)
    finally:
        os.close(inherited)
    told = programs.reported()
    assert told["pid"] == reply["pid"]
    assert identity.alive(reply["pid"], reply["start"])
    assert told["argv"] == ["a b", ""]
    assert told["env"].keys() - {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"} == {"ONE", "SENTINEL_PROCESS"}
    assert told["cwd"] == str(programs.directory.resolve())
    assert (told["nice"], told["nofile"], told["stdin"]) == (3, [99, 99], os.devnull)
    found = identity.read_stat(reply["pid"])
    assert found is not None
    assert (found.group, found.session) == (reply["pid"], reply["pid"])


@pytest.mark.skipif(not LINUX, reason="looks into /proc")
def test_no_descriptor_signal_setting_or_mask_is_left_to_it(keep):
    keeper = keep.connect()
    keep.spawn(keeper, 1, ["/bin/sh", "-c", "ls /proc/$$/fd; grep Sig /proc/self/status; umask"])
    text = lab.eventually(lambda: [t for t in [Path(keep.log(1)).read_text()] if "0022" in t])[0].split("\n")
    assert text[:3] == ["0", "1", "2"]
    assert not text[3].isdigit()
    masks = dict(line.split(":\t") for line in text if line.startswith(("SigBlk", "SigIgn")))
    standard = 0x7FFFFFFF  # what is beyond is the C library's own
    assert {name: int(mask, 16) & standard for name, mask in masks.items()} == {"SigBlk": 0, "SigIgn": 0}


def test_output_is_appended_to_files_that_only_the_owner_reads(keep):
    keeper = keep.listener()
    Path(keep.log(1)).write_text("before\n")
    os.chmod(keep.log(1), 0o600)
    keep.spawn(keeper, 1, ["/bin/sh", "-c", "echo out; echo err >&2"])
    next_exit(keeper, 1)
    assert Path(keep.log(1)).read_text() == "before\nout\n"
    assert Path(keep.log(1, "stderr")).read_text() == "err\n"
    assert stat.S_IMODE(os.stat(keep.log(1, "stderr")).st_mode) == 0o600


def test_what_fails_is_told_with_its_step(keep, tmp_path):
    keeper = keep.connect()
    plain = tmp_path / "plain"
    plain.write_text("no program")
    script = tmp_path / "script"
    script.write_text("#!/nowhere/interpreter\n")
    script.chmod(0o755)
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to(plain)
    true = ["/bin/sh", "-c", ":"]
    replies = keeper.spawn_many(
        [
            keep.order(1, ["/nowhere/program"]),
            keep.order(2, [str(plain)]),
            keep.order(3, [str(script)]),
            keep.order(4, true, cwd="/nowhere"),
            keep.order(5, true, stdout=str(fifo)),
            keep.order(6, true, stderr=str(link)),
            keep.order(7, true, nofile=-5),
            keep.order(8, ["/bin/sh", "-c", "a\0b"]),
        ]
    )
    assert [reply.get("failed") for reply in replies] == [
        "program", "program", "exec", "cwd", "log", "log", "nofile", "exec",
    ]
    assert [reply["errno"] for reply in replies[:4]] == [2, 13, 2, 2]
    assert keeper.tell() == {}
    assert plain.read_text() == "no program"


def test_an_id_that_runs_is_not_started_twice(keep, programs):
    one, other = keep.connect(), keep.connect()
    order = keep.order(1, programs.steady())
    replies = one.spawn_many([order] * 5) + other.spawn_many([order] * 3)
    assert {reply["pid"] for reply in replies} == {programs.pid()}
    assert [reply.get("already", False) for reply in replies] == [False] + [True] * 7
    assert list(one.tell()) == [1]


def test_a_hundred_at_once(keep):
    keeper = keep.connect()
    replies = keeper.spawn_many([keep.order(id, ["/bin/sleep", "1000"]) for id in range(1, 101)])
    pids = [reply["pid"] for reply in replies]
    assert len(set(pids)) == 100
    assert {id: told["pid"] for id, told in keeper.tell().items()} == dict(zip(range(1, 101), pids, strict=True))
    done = []
    assert len(keeper.stop_many([{"id": id} for id in range(1, 101)], on_reply=done.append)) == 100
    assert {reply["id"] for reply in done} == set(range(1, 101))
    assert lab.gone(*pids)
    assert {ended.exit.signal for ended in keep.exits()} == {15}


@pytest.mark.skipif(not LINUX, reason="ionice is Linux's")
def test_priorities_hold_for_what_it_starts(keep, programs):
    keeper = keep.listener()
    keep.spawn(keeper, 1, ["/bin/sh", "-c", "sh -c 'ulimit -n; nice'; ionice || echo idle"],
               nice=7, nofile=64, ionice=[3, 0])  # fmt: skip
    next_exit(keeper, 1)
    assert Path(keep.log(1)).read_text().split()[:3] == ["64", "7", "idle"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_credentials_are_those_asked_for_and_the_log_stays_ours(keep, programs, tmp_path):
    keeper = keep.listener()
    keep.spawn(keeper, 1, ["/bin/sh", "-c", "id -u; id -g; id -G; nice"], uid=65534, gid=65533, groups=[65533, 65532],
               cwd="/", nice=-4)  # fmt: skip
    next_exit(keeper, 1)
    assert Path(keep.log(1)).read_text().split() == ["65534", "65533", "65533", "65532", "-4"]
    assert os.stat(keep.log(1)).st_uid == 0
    os.link(keep.log(1), tmp_path / "hard")
    reply = keeper.spawn_many([keep.order(1, ["/bin/sh", "-c", ":"], run=2)])[0]
    assert reply.get("failed") == "log"


@pytest.mark.skipif(not LINUX, reason="prlimit")
def test_out_of_descriptors_a_spawn_fails_and_the_keeper_goes_on(keep, programs):
    keeper = keep.connect()
    before = resource.prlimit(keeper.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(keeper.pid, resource.RLIMIT_NOFILE, (20, before[1]))
    refused = keeper.spawn_many([keep.order(1, ["/bin/sh", "-c", ":"])])[0]
    resource.prlimit(keeper.pid, resource.RLIMIT_NOFILE, before)
    assert (refused["failed"], refused["errno"]) == ("fork", 24)
    keep.spawn(keeper, 1, programs.steady())


def test_nonsense_is_refused_and_harms_nobody(keep, programs):
    keeper = keep.connect()
    keep.spawn(keeper, 1, programs.steady())
    for bad in ({"id": "1"}, {"id": 5}, {"id": 6, "run": 1, "argv": 3, "env": []}, {"id": 1.5}):
        try:
            assert "failed" in keeper.spawn_many([bad])[0]
        except BackendError:
            pass
    for raw in (b"{\n", b"[]\n", b"\xff\xfe\n", b'{"op":"nothing","seq":1}\n', b"\n"):
        with Keeper.connect(keep.home, start=False) as stranger:
            stranger._sock.setblocking(True)
            stranger._sock.sendall(raw)
            assert b"error" in stranger._sock.recv(4096)
    assert list(keeper.tell()) == [1]


def test_clients_that_start_at_once_get_one_keeper(keep, programs):
    code = (
        "import sys; from sentinel.paths import Home; from sentinel.backends.native.client import Keeper\n"
        "keeper = Keeper.connect(Home(sys.argv[1]), True); print(keeper.pid, flush=True); sys.stdin.read()"
    )
    clients = [
        subprocess.Popen([sys.executable, "-c", code, str(keep.root)], stdin=-1, stdout=-1, text=True)
        for _ in range(8)
    ]
    try:
        pids = {int(client.stdout.readline()) for client in clients}
    finally:
        for client in clients:
            client.communicate()
    assert len(pids) == 1


def test_without_asking_none_is_started(keep):
    keep.home.prepare()
    assert Keeper.connect(keep.home, start=False) is None
    assert not keep.home.keeper_socket.exists()
    keep.connect()


def test_it_ends_when_there_is_nothing_to_keep_and_nobody_to_serve(keep):
    keeper = keep.listener()
    keep.spawn(keeper, 1, ["/bin/sh", "-c", "exit 3"])
    assert next_exit(keeper, 1)["code"] == 3
    assert keeper.tell() == {}
    keeper.close()
    lab.eventually(lambda: lab.gone(keeper.pid))
    assert not keep.home.keeper_socket.exists()
    again = keep.connect()
    assert again.pid != keeper.pid


def test_a_home_deeper_than_any_socket_address(mode, deep_home, tmp_path, programs):
    keep = Lab(deep_home, programs)
    here = os.getcwd()
    keeper = keep.connect()
    keep.spawn(keeper, 1, programs.steady())
    assert os.getcwd() == here
    assert stat.S_IMODE(os.stat(keep.home.run).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(keep.home.keeper_socket).st_mode) == 0o600
    keep.close()
    assert not lab.end_everything(tmp_path, set())


def test_readiness_is_told_by_any_process_of_the_tree_and_by_nobody_else(keep, programs):
    listener = keep.listener()
    keep.spawn(listener, 1, programs.notify("go1", "up1"), notify=True)
    child = ["/bin/sh", "-c", 'echo $NOTIFY_SOCKET; "$@"; exit 1', "sh", *programs.notify("go2", "up2")]
    keep.spawn(listener, 2, child, notify=True)
    programs.pid("up1")
    programs.pid("up2")
    address = Path(keep.log(2)).read_text().strip()
    if address.startswith("@"):  # a file can be entered by its user alone, and root enters everything
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"READY=1", "\0" + address[1:])
        assert listener.pids([2])  # asked after it was sent: it has been read
        assert [told["ready"] for told in listener.tell().values()] == [False, False]
    for id in (1, 2):
        programs.pull(f"go{id}")
        while (event := listener.wait_event(lab.WITHIN)) is not None and event["event"] != "ready":
            pass
        assert event is not None
        assert (event["id"], event["run"]) == (id, 1)
    assert [told["ready"] for told in listener.tell().values()] == [True, True]
    listener.stop_many([{"id": 2}])
    assert address.startswith("@") or not Path(address).parent.exists()


def test_events_come_in_order_to_each_listener(keep):
    listeners = [keep.listener(), keep.listener()]
    reply = keep.spawn(keep.connect(), 4, ["/bin/sh", "-c", "exit 5"], run=9)
    for listener in listeners:
        spawned, ended = listener.wait_event(lab.WITHIN), listener.wait_event(lab.WITHIN)
        assert spawned == {
            "event": "spawned", "id": 4, "run": 9, "pid": reply["pid"], "start": reply["start"],
            "started_at": reply["started_at"],
        }
        assert ended is not None
        assert {**ended, "at": 0} == {
            "event": "exit", "id": 4, "run": 9, "pid": reply["pid"], "start": reply["start"], "code": 5,
            "signal": None, "at": 0, "reason": "", "known": True,
        }
        assert listener.events() == []
        assert listener.wait_event(0.0) is None


def test_exit_records_are_read_and_removed_by_run(keep):
    listener = keep.listener()
    for run in (1, 2, 3):
        keep.spawn(listener, 1, ["/bin/sh", "-c", f"exit {run}"], run=run)
        next_exit(listener, 1)
    keep.spawn(listener, 2, ["/bin/sh", "-c", "kill -KILL $$"])
    next_exit(listener, 2)
    for name, text in {"7.1.json": "{", "8.1.json": "[]", "9.x.json": "{}", "1.9.json": '{"id":2,"run":9}'}.items():
        (keep.home.exits / name).write_text(text)
    assert [(ended.id, ended.exit.run, ended.exit.code) for ended in keep.exits(1)] == [(1, 1, 1), (1, 2, 2), (1, 3, 3)]
    assert [ended.exit.signal for ended in keep.exits(2)] == [9]
    remove_exits(keep.home, {1: 2, 2: 5})
    assert [(ended.id, ended.exit.run) for ended in keep.exits()] == [(1, 3)]
    assert read_exits(Home(keep.root / "none")) == []


def test_an_exit_that_cannot_be_written_is_not_lost(keep):
    listener = keep.listener()
    keep.home.exits.rmdir()
    keep.home.exits.write_text("in the way")
    keep.spawn(listener, 1, ["/bin/sh", "-c", "exit 6"])
    assert next_exit(listener, 1)["code"] == 6
    assert [ended.exit.code for ended in listener.unsaved_exits()] == [6]
    keep.home.exits.unlink()
    assert keep.exit_of(1).exit.code == 6
    lab.eventually(lambda: listener.unsaved_exits() == [])


def test_a_keeper_that_is_gone_is_an_error_of_ours(keep, programs):
    keeper = keep.listener()
    keep.spawn(keeper, 1, programs.steady())
    kill(keeper.pid)
    lab.eventually(lambda: lab.gone(keeper.pid))
    with pytest.raises(KeeperGone):
        keeper.tell()
    keeper._events.clear()
    with pytest.raises(KeeperGone):
        keeper.events()
