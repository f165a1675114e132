"""`run`: new processes, all of them or none."""

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from sentinel import faultpoints, names
from sentinel.errors import LaunchError, NotFound, SentinelError, UsageError
from sentinel.model import Desired, Record, Restart, Spec, State
from sentinel.plain import dataclass
from sentinel.supervisor import launching, processes
from sentinel.supervisor.api import Done, Outcome, RunRequest
from sentinel.supervisor.context import Context
from sentinel.supervisor.reconcile import settle

Progress = Callable[[int, int], None]
MOST_INSTANCES = 10_000

RESTARTS = "restarts happen only when other sentinel commands run"
HOOK = "--on-failure runs only when other sentinel commands run"
CHECKS = "health checks do not happen"
NO_DAEMON = (
    "Warning: no daemon is running: {what}.\n"
    "Run 'sentinel daemon start' for continuous monitoring."
)


def run(context: Context, request: RunRequest, progress: Progress | None = None) -> Outcome:
    """Create and start what was asked for. Bad requests touch nothing; a failed start leaves nothing behind.

    Raises:
        UsageError, NotFound, Conflict, Unsupported: refused.
        LaunchError: it could not be started, or did not become ready.
    """
    from copy import deepcopy

    from sentinel.backends.resolve import resolve

    spec = _spec(request)
    choice = resolve(context.home, flag=request.backend, user=spec.user)
    context.home.prepare()
    state = context.store.read()
    group = state.groups.get(request.group) if request.group else None
    if request.group and group is None:
        raise NotFound(f"no group named {request.group}", f"make it: sentinel group create {request.group}")
    engine = context.engine(choice.name, choice.scope)
    engine.refuse(spec, group)

    def plan(state: State) -> list[New]:
        return [New(name, deepcopy(spec), list(request.ports)) for name in _names(state, request)]

    with ExitStack() as stack:
        ids = create(context, stack, plan, choice.name, choice.scope)
        faultpoints.reach("run.created")
        done = _start_all(context, ids)
    context.poke_daemon()
    if spec.startup_timeout is not None:
        _await(context, ids)
        context.poke_daemon()
    warnings = [*choice.notes, *daemon_warning(context, spec, engine.restarts_by_itself)]
    return Outcome(done, warnings)


def _spec(request: RunRequest) -> Spec:
    from sentinel import accounts

    if not request.command or request.command == [""]:
        raise UsageError("no command given", "for example: sentinel run 'python3 -m http.server 8000' --name web")
    if request.instances is not None and not 1 <= request.instances <= MOST_INSTANCES:
        raise UsageError(f"--instances must be from 1 to {MOST_INSTANCES}", "for example --instances 4")
    if request.instances is not None and request.ports and request.instances * len(request.ports) > 1000:
        raise UsageError("too many ports asked for", "fewer instances, or no --port")
    account = accounts.refuse_other_user(request.user)
    cwd = os.path.abspath(request.cwd) if request.cwd is not None else _working_directory()
    if not os.path.isdir(cwd):
        raise LaunchError(f"cannot start: no such directory: {cwd}", "make it, or give another --cwd")
    env_file = os.path.abspath(request.env_file) if request.env_file is not None else None
    if env_file is not None and not os.path.isfile(env_file):
        raise LaunchError(f"cannot start: no such environment file: {env_file}", "check --env-file")
    return Spec(
        argv=list(request.command),
        cwd=cwd,
        user=account.name if account else None,
        group=request.group,
        env_file=env_file,
        env=dict(request.env),
        restart=request.restart,
        health=request.health,
        limits=request.limits,
        logs=request.logs,
        startup_timeout=request.startup_timeout,
        stop_timeout=request.stop_timeout,
        stop_signal=request.stop_signal,
        on_failure=request.on_failure,
    )


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        raise LaunchError("the working directory is gone", "change to another one, or give --cwd") from error


@dataclass(slots=True)
class New:
    """A process that is about to have a record."""

    name: str
    spec: Spec
    ports: list[str]  # variables that get a port each
    desired: Desired = Desired.RUNNING


def create(
    context: Context,
    stack: ExitStack,
    plan: Callable[[State], Iterable[New]],
    backend: str,
    scope: str | None,
) -> list[int]:
    """Records, ports, captured environments: saved together. The new ids are claimed before anyone sees them.

    `plan` tells what to create, under the lock; what it raises leaves all as it was.
    """
    from sentinel import environment, ports

    ids: list[int] = []
    try:
        with context.store.change() as state:
            for new in plan(state):
                record = Record(state.next_id, new.name, backend, new.spec, new.desired, scope=scope)
                record.created_at = context.now()
                if new.desired is Desired.STOPPED:
                    record.wanted_run = 0
                state.next_id += 1
                if backend == "systemd":
                    from sentinel.backends.systemd.naming import unit_name

                    record.unit = unit_name(new.name, context.home)
                for variable in new.ports:
                    lease = ports.allocate(state, None, _lease_name(new.name, variable, new.ports), record.id)
                    record.spec.ports[variable] = lease.port
                state.processes[record.id] = record
                ids.append(record.id)
                environment.capture(context.home, record.id, os.environ)
                faultpoints.reach("run.captured")
            stack.enter_context(context.store.claim(ids))
    except BaseException:
        for i in ids:
            environment.forget(context.home, i)
        raise
    return ids


def _lease_name(name: str, variable: str, variables: list[str]) -> str:
    return name if len(variables) == 1 else f"{name}-{variable}"


def _names(state: State, request: RunRequest) -> list[str]:
    taken = [record.name for record in state.processes.values()]
    if request.name is not None:
        base = names.check_name("process", request.name)
    else:
        base = names.default_name(request.command)
        base = base if request.instances is not None else names.unique(base, taken)
    wanted = names.instance_names(base, request.instances) if request.instances is not None else [base]
    for name in wanted:
        names.check_free("process", name, taken)
    return wanted


def _start_all(context: Context, ids: list[int]) -> list[Done]:
    state = context.store.read()
    launched = launching.launch(context, state, [(state.processes[i], False) for i in ids])
    failed = [(i, a.outcome) for i, a in launched.items() if isinstance(a.outcome, SentinelError)]
    if failed:
        undo(context, ids)
        raise failed[0][1]
    now = context.now()
    with context.store.change(durable=False) as state:
        for i, answer in launched.items():
            answer.apply(state.processes[i], now)
    records = [state.processes[i] for i in ids]
    processes.mark_logs(context, records)
    return [
        Done(
            r.id,
            r.name,
            pid=r.runtime.pid,
            group=r.spec.group,
            notes=list(r.runtime.notes),
            ports=dict(r.spec.ports),
        )
        for r in records
    ]


def undo(context: Context, ids: list[int]) -> None:
    """All or nothing: stop what did start, and remove every record but of what can't be stopped."""
    state = context.store.read()
    records = [state.processes[i] for i in ids if i in state.processes]
    errors: dict[int, SentinelError | None] = {}
    for engine, group in context.by_engine(records):
        errors.update(engine.stop(group, force=True))
    stuck = [r for r in records if errors.get(r.id) is not None]
    if stuck:
        with context.store.change() as state:
            for record in stuck:
                state.processes[record.id].desired = Desired.STOPPED
    processes.remove(context, [r for r in records if errors.get(r.id) is None])


def _await(context: Context, ids: list[int]) -> None:
    """Wait until they are ready; otherwise they are stopped and stay listed, so that their logs can be read.

    They are not claimed meanwhile: whoever wants to stop one while it starts need not wait.
    """
    from sentinel.supervisor import readiness

    errors = readiness.wait(context, ids)
    failed = [(i, error) for i, error in errors.items() if error is not None]
    if not failed:
        return
    with context.store.claim(ids):
        with context.store.change() as state:
            records = [state.processes[i] for i in ids if i in state.processes]
            for record in records:
                record.desired = Desired.STOPPED
                record.wanted_run = record.runtime.run
        for engine, group in context.by_engine(records):
            engine.stop(group)
        settle(context, ids)
    raise failed[0][1]


def daemon_warning(context: Context, spec: Spec, restarts_by_itself: bool) -> list[str]:
    needs_restart = spec.restart.mode is not Restart.NO and not restarts_by_itself
    if not needs_restart and spec.health is None and spec.on_failure is None:
        return []
    from sentinel.supervisor.daemon_client import running_pid

    if running_pid(context.home) is not None:
        return []
    reasons = {RESTARTS: needs_restart, HOOK: spec.on_failure is not None, CHECKS: spec.health is not None}
    what = ", and ".join(reason for reason, applies in reasons.items() if applies)
    return [NO_DAEMON.format(what=what)]
