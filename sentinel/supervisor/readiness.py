"""Wait until new processes are ready: told by themselves, by their health check, or by staying alive."""

import time
from collections.abc import Iterable

from sentinel import health
from sentinel.backends.base import Account
from sentinel.errors import LaunchError, SentinelError
from sentinel.model import Health, Record
from sentinel.supervisor.context import Context
from sentinel.supervisor.reconcile import settle

PAUSE = 0.05  # seconds between two looks at a check that fails while a process starts


def wait(context: Context, ids: Iterable[int]) -> dict[int, SentinelError | None]:
    """Wait for each up to its start-up timeout; None for those that are ready."""
    state = context.store.read()
    records = [state.processes[i] for i in ids if i in state.processes]
    told = [r for r in records if r.spec.health is None]
    errors: dict[int, SentinelError | None] = {}
    for engine, group in context.by_engine(told):
        limit = max(r.spec.startup_timeout or 0.0 for r in group)
        errors.update(engine.wait_ready(group, limit))
    errors.update(_probe_until_healthy(context, [r for r in records if r.spec.health is not None]))
    seen = settle(context, [r.id for r in records])
    with context.store.change(durable=False) as state:
        for record in records:
            now = state.processes.get(record.id)
            if now is None or record.id not in seen:
                errors[record.id] = LaunchError(f"{record.name} was deleted before it was ready")
                continue
            if seen[record.id].alive and (errors[record.id] is None or record in told):
                now.runtime.ready = True
                errors[record.id] = None  # it did not say READY=1, and is still alive: that is what was asked
                if record not in told:
                    now.runtime.health = Health.HEALTHY
            elif not seen[record.id].alive:
                errors[record.id] = _ended(now)
    return errors


def _ended(record: Record) -> LaunchError:
    last = record.runtime.last_exit
    how = "ended"
    if last is not None and last.run == record.runtime.run:
        how = f"exited with status {last.code}" if last.code is not None else how
        how = f"was killed by signal {last.signal}" if last.signal is not None else how
    return LaunchError(f"{record.name} {how} before it was ready", f"see 'sentinel logs {record.name}'")


def _probe_until_healthy(context: Context, records: list[Record]) -> dict[int, SentinelError | None]:
    errors: dict[int, SentinelError | None] = {}
    waiting = {r.id: r for r in records}
    began = time.monotonic()
    while waiting:
        seen = context.see(waiting.values())
        for i, record in list(waiting.items()):
            check = record.spec.health
            assert check is not None
            if not seen[i].alive:
                errors[i] = None  # told as ended by the caller
                del waiting[i]
                continue
            ok, message = probe_once(context, record)
            if ok:
                errors[i] = None
                del waiting[i]
            elif time.monotonic() - began >= (record.spec.startup_timeout or 0.0):
                errors[i] = LaunchError(
                    f"{record.name} was not healthy within {record.spec.startup_timeout:g} s: {message}",
                    f"see 'sentinel logs {record.name}'",
                )
                del waiting[i]
        if waiting:
            time.sleep(PAUSE)
    return errors


def probe_once(context: Context, record: Record) -> tuple[bool, str]:
    """One check of a process, as the daemon does it too."""
    env, cwd, account = probe_surroundings(context, record)
    assert record.spec.health is not None
    return health.probe(record.spec.health, env, cwd, account)


def probe_surroundings(context: Context, record: Record) -> tuple[dict[str, str], str, Account | None]:
    """Environment, directory and user for a check's command: those of the process. Other kinds need none."""
    from sentinel import accounts, environment

    spec = record.spec
    if spec.health is None or spec.health.kind != "cmd":
        return {}, spec.cwd, None
    account = accounts.lookup(spec.user) if spec.user is not None else None
    group = context.store.read().groups.get(spec.group) if spec.group else None
    return environment.resolve(context.home, record, group, account), spec.cwd, account
