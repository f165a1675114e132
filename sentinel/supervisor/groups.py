"""Groups: variables and limits that processes share, and commands on all members at once."""

from collections.abc import Sequence

from sentinel import names
from sentinel.backends.base import Backend
from sentinel.errors import Conflict, LaunchError, NotFound, Unsupported, UsageError
from sentinel.model import Desired, Group, Record, State
from sentinel.supervisor import processes
from sentinel.supervisor.api import Done, GroupView, Outcome
from sentinel.supervisor.context import Context


def create(context: Context, group: Group) -> list[str]:
    """Make a group.

    Raises:
        Conflict: there is one of that name.
        LaunchError: its environment file is missing.
    """
    import os

    names.check_name("group", group.name)
    if group.env_file is not None:
        group.env_file = os.path.abspath(group.env_file)
        if not os.path.isfile(group.env_file):
            raise LaunchError(f"no such environment file: {group.env_file}", "check --env-file")
    context.home.prepare()
    limited = _limited(group)
    engine = _slice_engine(context)
    if limited and engine is None:
        raise Unsupported(
            "limits on a group need systemd: the native engine has no control groups",
            "leave them out, or use --memory-max of 'sentinel run' for each process",
        )
    with context.store.change() as state:
        names.check_free("group", group.name, state.groups)
        group.created_at = context.now()
        state.groups[group.name] = group
    return engine.apply_group(group) if engine is not None and limited else []


def _limited(group: Group) -> bool:
    return (group.memory_max, group.cpu_quota, group.tasks_max) != (None, None, None)


def _slice_engine(context: Context) -> Backend | None:
    """The engine that has slices, where new processes would run on it."""
    from sentinel.backends.resolve import resolve

    choice = resolve(context.home, flag=None)
    return context.engine(choice.name, choice.scope) if choice.name == "systemd" else None


def get(state: State, name: str) -> Group:
    """The group of that name.

    Raises:
        NotFound: there is none.
    """
    if name not in state.groups:
        raise NotFound(f"no group named {names.printable(name)}", "run 'sentinel group list' to see them")
    return state.groups[name]


def members(state: State, name: str) -> list[Record]:
    get(state, name)
    return [record for record in state.processes.values() if record.spec.group == name]


def add(context: Context, name: str, tokens: Sequence[str], *, restart: bool = False) -> Outcome:
    """Put processes into a group: at their next start, or now with `restart`."""
    with context.store.change() as state:
        group = get(state, name)
        records = names.find_many(state, tokens)
        for engine, part in context.by_engine(records):
            for record in part:
                engine.refuse(record.spec, group)
        already = {r.id for r in records if r.spec.group == name}
        for record in records:
            record.spec.group = name
    return _applied(context, records, already, restart)


def remove(context: Context, name: str, tokens: Sequence[str]) -> Outcome:
    """Take processes out of a group, from their next start on.

    Raises:
        Conflict: one is not a member.
    """
    with context.store.change() as state:
        get(state, name)
        records = names.find_many(state, tokens)
        for record in records:
            if record.spec.group != name:
                raise Conflict(f"{record.name} is not in group {name}", "nothing was changed")
        for record in records:
            record.spec.group = None
    return _applied(context, records, set(), False)


def _applied(context: Context, records: list[Record], already: set[int], restart: bool) -> Outcome:
    """Say what becomes of those that run, or restart them."""
    ids = [r.id for r in records]
    alive = [i for i, seen in context.see(records).items() if seen.alive and i not in already]
    errors = {}
    warnings: list[str] = []
    if restart and alive:
        errors = {d.id: d.error for d in processes.restart(context, alive).done}
    elif alive:
        running = ", ".join(r.name for r in records if r.id in alive)
        warnings.append(f"{running}: runs on as before; the change applies at the next start")
    done = [
        Done(r.id, r.name, group=r.spec.group, already=r.id in already, error=errors.get(r.id)) for r in records
    ]
    return Outcome(sorted(done, key=lambda d: ids.index(d.id)), warnings)


def views(context: Context, name: str | None = None) -> list[GroupView]:
    """All groups, or one."""
    state = context.store.read()
    groups = [get(state, name)] if name is not None else list(state.groups.values())
    return [
        GroupView(
            group.name,
            [record.name for record in members(state, group.name)],
            dict(group.env),
            group.env_file,
            group.created_at,
            group.memory_max,
            group.cpu_quota,
            group.tasks_max,
        )
        for group in groups
    ]


def start(context: Context, name: str) -> Outcome:
    return processes.start(context, [r.id for r in members(context.store.read(), name)])


def stop(context: Context, name: str, *, force: bool = False) -> Outcome:
    return processes.stop(context, [r.id for r in members(context.store.read(), name)], force=force)


def restart(context: Context, name: str) -> Outcome:
    """Restart exactly the members that are wanted: one that was stopped stays so."""
    wanted = [r.id for r in members(context.store.read(), name) if r.desired is Desired.RUNNING]
    return processes.restart(context, wanted)


def delete(context: Context, name: str, *, with_processes: bool = False, stop: bool = False) -> Outcome:
    """Remove a group; its members lose it, are stopped (`stop`), or are deleted too (`with_processes`)."""
    if with_processes and stop:
        raise UsageError("--with-processes and --stop exclude each other", "--with-processes stops them too")
    state = context.store.read()
    ids = [r.id for r in members(state, name)]
    outcome = Outcome([])
    if with_processes and ids:
        outcome = processes.delete(context, ids)
    elif stop and ids:
        outcome = processes.stop(context, ids)
    if any(done.error for done in outcome.done):
        return outcome
    with context.store.change() as state:
        get(state, name)
        left = members(state, name)
        for record in left:
            record.spec.group = None
        del state.groups[name]
    engine = _slice_engine(context)
    if engine is not None:
        engine.remove_group(name)
    seen = context.see(left)
    alive = [r.name for r in left if seen[r.id].alive]
    if alive:
        outcome.warnings.append(f"{', '.join(alive)}: runs on as before; the change applies at the next start")
    return outcome
