"""The machine's clock, and what it was when it last booted."""

import os
import time
from collections.abc import Callable, Iterator

from sentinel import identity
from sentinel.model import Restart
from sentinel.quantities import human_duration
from sentinel.supervisor.doctor.check import Check, Subject, command, listed, ok, problem, skipped, warning

TOLERANCE = 60.0  # seconds


def clock(subject: Subject, now: Callable[[], float] = time.time) -> Iterator[Check]:
    """Times in records are compared with it: back-off, uptime, logs --since."""
    try:
        saved = os.stat(subject.home.state).st_mtime
    except OSError:
        yield skipped("clock", "nothing was saved yet to compare it with")
        return
    behind = saved - now()
    if behind > TOLERANCE:
        what = f"it is {human_duration(behind)} behind the time at which state.json was saved"
        yield warning("clock", what, f"{subject.sudo}timedatectl set-ntp true")
    else:
        yield ok("clock", "it has not gone back")


def boot(subject: Subject) -> Iterator[Check]:
    """What ran before the machine booted and has not come back."""
    try:
        current = identity.boot_id()
    except OSError:
        current = ""
    if not current:
        repair = f"{subject.sudo}mount -t proc proc /proc"
        yield problem("boot", "the kernel does not tell its boot id: is /proc mounted?", repair)
        return
    gone = [
        record.name
        for backend in ("native", "systemd")
        for record in subject.wanted(backend)
        if record.runtime.boot_id not in (None, current)
        and (record.spec.restart.mode is not Restart.NO or record.runtime.pid is not None)
    ]
    if gone:
        what = f"{listed(gone)} ran before the machine booted, and not since"
        yield warning("boot", what, command("sentinel", "start", *gone))
    else:
        yield ok("boot", "nothing is missing since the machine booted")
