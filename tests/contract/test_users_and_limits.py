"""Other users, priorities and limits: in force from the first instruction, or refused."""

import os
import pwd

import pytest
from lab import Programs, Sentinel, eventually


def test_nice_and_files_are_in_force(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "l", "--nice", "5", "--limit-nofile", "512", "--", *programs.report())
    seen = programs.reported()
    assert seen["nice"] == os.getpriority(os.PRIO_PROCESS, 0) + 5 or seen["nice"] == 5
    assert seen["nofile"][0] == 512


def test_idle_io_is_in_force(sentinel: Sentinel, programs: Programs) -> None:
    import psutil

    sentinel.ok("run", "--name", "l", "--ionice", "idle", "--", *programs.steady())
    assert psutil.Process(programs.pid()).ionice().ioclass == psutil.IOPRIO_CLASS_IDLE


def test_a_negative_nice_is_given_or_the_lack_is_told(sentinel: Sentinel, programs: Programs) -> None:
    result = sentinel("run", "--name", "l", "--nice", "-5", "--", *programs.report())
    assert "Traceback" not in result.err
    if result.code == 0:
        assert programs.reported()["nice"] == -5 or "nice" in result.out + result.err
    else:
        assert result.code == 1
        assert "nice" in result.err


def test_another_user(sentinel: Sentinel) -> None:
    nobody = pwd.getpwnam("nobody")
    show = "echo $(id -u) $(id -g) $(id -G) $HOME $USER $LOGNAME $SHELL $PWD; exec sleep 1000"
    args = ("run", "--name", "u", "--user", "nobody", "--cwd", "/", "--", "/bin/sh", "-c", show)
    if os.geteuid() != 0:
        result = sentinel.fails(1, *args)
        assert "nobody" in result.err
        assert sentinel.names() == []
        return
    sentinel.ok(*args)
    told = eventually(lambda: sentinel.ok("logs", "u", "--stream", "stdout").out.split())
    home, shell = nobody.pw_dir, nobody.pw_shell
    assert told == [str(nobody.pw_uid), *[str(nobody.pw_gid)] * 2, home, "nobody", "nobody", shell, "/"]
    assert sentinel.status("u")["user"] == "nobody"
    sentinel.ok("restart", "u")
    assert sentinel.status("u")["user"] == "nobody"


def test_oneself_is_no_other_user(sentinel: Sentinel, programs: Programs) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    sentinel.ok("run", "--name", "u", "--user", me, "--", *programs.report())
    assert programs.reported()["uid"] == os.geteuid()


@pytest.mark.parametrize("backend", ["native"], indirect=True)
def test_native_restarts_what_takes_too_much_memory(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("daemon", "start")
    hog = programs._actor("hog", programs.path("ready"), 200_000_000)
    sentinel.ok("run", "--name", "m", "--restart", "--memory-max", "100M", "--", *hog)
    first = programs.pid()
    eventually(lambda: programs.pid() != first)
    eventually(lambda: sentinel.status("m")["restarts"] >= 1)  # it is written down after the start
