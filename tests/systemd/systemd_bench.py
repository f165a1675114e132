"""What the tests of the systemd engine start things with."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sentinel.backends.base import Account, Launch, Started
from sentinel.backends.systemd.backend import SystemdBackend
from sentinel.model import Record, Spec
from sentinel.paths import Home

T = TypeVar("T")
Test = TypeVar("Test", bound=Callable[..., None])
DEADLINE = 240.0


def needs_root(test: Test) -> Test:
    """It is about the system manager: not selected for a user."""
    test.sentinel_needs_root = True  # type: ignore[attr-defined]
    return test


def needs_user(test: Test) -> Test:
    """It is about a user's own manager: not selected for root."""
    test.sentinel_needs_root = False  # type: ignore[attr-defined]
    return test


def eventually(check: Callable[[], T], within: float = DEADLINE) -> T:
    """What `check` returns as soon as it is true; the one place that sleeps."""
    deadline = time.monotonic() + within
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.02)


def systemctl(*words: str) -> str:
    scope = [] if os.geteuid() == 0 else ["--user"]
    done = subprocess.run(["systemctl", *scope, *words], capture_output=True, text=True, check=False, timeout=DEADLINE)
    return done.stdout


class Bench:
    """A backend over a home, and what is needed to start things with it."""

    def __init__(self, home: Home, directory: Path) -> None:
        self.home = home
        home.prepare()
        self.directory = directory
        self.backend = SystemdBackend(home)
        self._ids = itertools.count(1)
        self.records: list[Record] = []

    def record(self, name: str, **spec: object) -> Record:
        fields: dict[str, object] = {"argv": [name], "cwd": str(self.directory), **spec}
        record = Record(next(self._ids), name, "systemd", Spec(**fields), scope=self.backend.scope)  # type: ignore[arg-type]
        record.unit = self.backend.unit_of(name)
        self.records.append(record)
        return record

    def launch(
        self,
        record: Record,
        argv: list[str],
        *,
        env: dict[str, str] | None = None,
        run: int = 1,
        account: Account | None = None,
        cwd: str | None = None,
        notify: bool = False,
        program: str = "",
    ) -> Launch:
        return Launch(
            record=record,
            run=run,
            program=program or argv[0],
            argv=list(argv),
            env={"PATH": "/usr/bin:/bin"} if env is None else env,
            cwd=cwd or record.spec.cwd,
            account=account,
            notify=notify,
            stdout=str(self.home.log(record.name, "stdout")),
            stderr=str(self.home.log(record.name, "stderr")),
        )

    def python(self, record: Record, code: str, *arguments: str, **options: object) -> Launch:
        return self.launch(record, [sys.executable, "-I", "-S", "-c", code, *arguments], **options)  # type: ignore[arg-type]

    def sh(self, record: Record, code: str, **options: object) -> Launch:
        return self.launch(record, ["/bin/sh", "-c", code], **options)  # type: ignore[arg-type]

    def start(self, launch: Launch) -> Started:
        """Start it and remember it in the record, as the supervisor does."""
        found = self.backend.start([launch])[launch.record.id]
        assert isinstance(found, Started), found
        runtime = launch.record.runtime
        runtime.run, runtime.pid = found.run, found.pid
        runtime.start_time, runtime.started_at = found.start_time, found.started_at
        return found

    def clean(self) -> None:
        stopped = self.backend.stop(self.records, force=True)
        assert not any(stopped.values()), stopped
        self.backend.forget(self.records)
        loaded = systemctl("list-units", "--all", "--plain", "--no-legend", *(r.unit or "" for r in self.records))
        self.backend.close()
        assert not self.records or not loaded.strip(), loaded
