"""Slow work in a process of its own: neither the daemon's loop nor a `list` waits for somebody's stop timeout."""

from sentinel.paths import Home, home_from_environment
from sentinel.supervisor.context import Context

VERBS = ("reconcile", "health", "memory")


def spawn(home: Home, verb: str, ids: list[int]) -> int:
    """Start a helper for these processes; returns its pid. See VERBS."""
    from sentinel.supervisor.python import command_line, spawn_detached

    argv = command_line("sentinel.supervisor.helper", verb, *map(str, ids))
    return spawn_detached(argv, str(home.root), str(home.daemon_log))


def main(verb: str, *arguments: str) -> None:
    """Entry point of the helper."""
    from sentinel.errors import SentinelError
    from sentinel.supervisor.reconcile import reconcile

    context = Context(home_from_environment())
    ids = [int(argument) for argument in arguments]
    try:
        if verb != "reconcile":
            stop_for(context, ids, verb)
        for error in reconcile(context, ids, stop_here=True).unreachable.values():
            print(f"{verb}: {error}", flush=True)
    except SentinelError as error:
        print(f"{verb}: {error}", flush=True)
    context.poke_daemon()


def stop_for(context: Context, ids: list[int], reason: str) -> None:
    """Stop what runs of these because of its health or memory; the policy then restarts it."""
    from sentinel.model import Desired
    from sentinel.supervisor.reconcile import settle

    with context.store.claim(ids, block=False) as mine:
        settle(context, mine)
        state = context.store.read()
        records = [state.processes[i] for i in sorted(mine) if i in state.processes]
        seen = context.see(records)
        running = [r for r in records if seen[r.id].alive and r.desired is Desired.RUNNING]
        for engine, group in context.by_engine(running):
            for record, error in zip(group, engine.stop(group, reason=reason).values(), strict=True):
                if error is not None:
                    print(f"cannot stop {record.name}: {error}", flush=True)
        settle(context, mine)
