"""--on-failure: a command of the user's that is told of a failure through its environment."""

import os
from collections.abc import Iterable

from sentinel.errors import SentinelError
from sentinel.events import Event
from sentinel.model import Record, State
from sentinel.own_logs import keep_short
from sentinel.paths import Home


def run_hooks(home: Home, state: State, events: Iterable[Event]) -> list[int]:
    """Start the hooks of the processes that have failed, without waiting; their pids.

    A hook runs as the process does: its environment, directory and user; what it prints goes into the hooks'
    log. Trouble with one is written there too and stops nothing.
    """
    pids = []
    for event in events:
        record = state.processes.get(event.id)
        if record is None or record.spec.on_failure is None or not event.is_failure:
            continue
        pid = _start(home, state, record, event)
        if pid is not None:
            pids.append(pid)
    return pids


def _start(home: Home, state: State, record: Record, event: Event) -> int | None:
    import subprocess

    from sentinel import accounts, environment

    spec = record.spec
    keep_short(home.hooks_log)
    log = os.open(home.hooks_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        account = accounts.lookup(spec.user) if spec.user is not None else None
        group = state.groups.get(spec.group) if spec.group else None
        env = environment.resolve(home, record, group, account) | _told(event, record)
        process = subprocess.Popen(
            ["/bin/sh", "-c", spec.on_failure or ""],
            env=env,
            cwd=spec.cwd,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=account.groups if account else None,
        )
        process.returncode = 0  # nobody waits for it here: the daemon reaps by pid, a command ends
        return process.pid
    except (OSError, SentinelError, ValueError) as error:
        os.write(log, f"cannot run the hook of {record.name}: {error}\n".encode(errors="replace"))
        return None
    finally:
        os.close(log)


def _told(event: Event, record: Record) -> dict[str, str]:
    """The event, as variables: SENTINEL_EVENT, _NAME, _ID, _RESTARTS, and its details where it has them."""
    told = {"EVENT": event.event, "NAME": record.name, "ID": record.id, "RESTARTS": record.runtime.restarts}
    told |= {key.upper(): event.details[key] for key in ("exit_code", "exit_signal", "reason", "answer", "pid")
             if key in event.details}  # fmt: skip
    return {f"SENTINEL_{key}": str(value).replace("\0", "") for key, value in told.items()}
