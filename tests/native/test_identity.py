"""Who a process is, and who is nobody."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sentinel import identity


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-ISc", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_a_running_process_is_known_by_pid_and_start(sleeper):
    start = identity.start_time(sleeper.pid)
    assert start is not None
    assert start == identity.start_time(sleeper.pid)
    assert identity.alive(sleeper.pid, start)


def test_the_same_pid_with_another_start_is_somebody_else(sleeper):
    start = identity.start_time(sleeper.pid)
    assert start is not None
    assert not identity.alive(sleeper.pid, start - 1)
    assert not identity.alive(sleeper.pid, None)
    assert not identity.alive(None, start)


def test_a_zombie_is_not_alive(sleeper):
    start = identity.start_time(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # ended, and left for later
    assert identity.start_time(sleeper.pid) is None
    assert not identity.alive(sleeper.pid, start)


def test_an_ended_process_is_not_alive(sleeper):
    start = identity.start_time(sleeper.pid)
    sleeper.kill()
    sleeper.communicate()
    assert not identity.alive(sleeper.pid, start)


@pytest.mark.parametrize("pid", [-1, 0, 1, 2**22 + 1, 2**31, 10**30, True, None, "12", 12.0])
def test_what_is_no_pid_is_nobody(pid):
    assert not identity.sane(pid)
    assert identity.read_stat(pid) is None
    assert not identity.alive(pid, 1.0)


def test_the_process_table_tells_parent_group_and_session():
    found = identity.read_stat(os.getpid())
    assert found is not None
    assert (found.parent, found.group, found.session) == (os.getppid(), os.getpgrp(), os.getsid(0))
    assert not found.zombie


def test_a_boot_has_a_name_that_stays():
    assert identity.boot_id()
    assert identity.boot_id() == identity.boot_id()
