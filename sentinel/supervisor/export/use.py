"""export and startup systemd: jobs gathered, files made, and written where they belong."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from sentinel import names
from sentinel.errors import SentinelError
from sentinel.files import reason, write_atomic
from sentinel.model import Restart, RestartPolicy
from sentinel.plain import dataclass, field
from sentinel.supervisor.context import Context
from sentinel.supervisor.export.job import Job, Made, Options, Show

FORMATS = ("systemd", "launchd", "procfile", "supervisord")


@dataclass(slots=True)
class Exported:
    """What was made. `text`: of all files, where none was written."""

    files: list[str]
    text: str
    warnings: list[str] = field(default_factory=list)


def export(
    context: Context, tokens: Sequence[str], format: str, output: str | None, *, show_env: bool, scope: str | None
) -> Exported:
    """Files for these processes: into a directory, or as text."""
    state = context.store.read()
    jobs = [_job(context, record.id) for record in names.find_many(state, tokens)]
    directory = Path(os.path.abspath(output)) if output is not None else None
    show = Show.FILE if directory is not None else Show.PLAIN if show_env else Show.HIDDEN
    options = Options(show, _scope(scope), directory)
    for job in jobs:
        _set_user(job, options)
    made = _format(format, jobs, options)
    warnings = [f"{job.name}: {note}" for job in jobs for note in job.notes]
    if directory is None:
        return Exported([], _joined(made), warnings)
    return Exported(_write(directory, made), "", warnings)


def command(
    name: str | None, words: Sequence[str], *, user: str | None, cwd: str | None, restart: bool, scope: str | None
) -> str:
    """A unit for a command that sentinel does not run.

    Raises:
        LaunchError: no such directory, user or program.
    """
    from sentinel import accounts
    from sentinel import command as commands

    account = accounts.lookup(user) if user is not None else None
    directory = os.path.abspath(cwd) if cwd is not None else os.getcwd()
    program, argv = commands.resolve(list(words), directory, os.environ.get("PATH"))
    policy = RestartPolicy(Restart.ALWAYS if restart else Restart.NO)
    job = Job(name or names.default_name(list(words)), program, argv[1:], directory, restart=policy, managed=False)
    job.user = account.name if account else None
    options = Options(Show.HIDDEN, scope or ("system" if user else _scope(None)))
    return _format("systemd", [job], options)[0].text


def _scope(asked: str | None) -> str:
    return asked or ("system" if os.geteuid() == 0 else "user")


def _job(context: Context, id: int) -> Job:
    from sentinel.supervisor.launching import prepare

    state = context.store.read()
    record = state.processes[id]
    launch = prepare(context, state, record, 1)
    spec = record.spec
    group = state.groups.get(spec.group) if spec.group else None
    return Job(
        name=record.name,
        program=launch.program,
        arguments=launch.argv[1:],
        cwd=launch.cwd,
        user=launch.account.name if launch.account else None,
        env=launch.env,
        given=frozenset([*spec.env, *spec.ports, *(group.env if group else ())]),
        restart=spec.restart,
        limits=spec.limits,
        health=spec.health,
        notify=launch.notify,
        startup_timeout=spec.startup_timeout,
        stop_timeout=spec.stop_timeout,
        stop_signal=spec.stop_signal,
        to_files=record.backend == "native" or spec.logs.kind == "file",
        group=group,
        on_failure=spec.on_failure,
    )


def _set_user(job: Job, options: Options) -> None:
    """What a user's own supervisor runs as that user, the system's has to be told."""
    from sentinel.accounts import current_name

    if options.scope == "user":
        job.user = None
    elif job.user is None and os.geteuid() != 0:
        job.user = current_name()


def _format(format: str, jobs: list[Job], options: Options) -> list[Made]:
    made: list[Made] = import_module(f"sentinel.supervisor.export.{format}").files(jobs, options)
    return made


def _joined(made: list[Made]) -> str:
    if len(made) == 1:
        return made[0].text
    return "\n".join(f"# --- {each.name}\n{each.text}" for each in made)


def _write(directory: Path, made: list[Made]) -> list[str]:
    """Into a directory that is made if need be; secrets first, so that nothing names what is not there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for each in sorted(made, key=lambda one: not one.secret):
            data = each.text.encode("utf-8", "surrogateescape")
            write_atomic(directory / each.name, data, mode=0o600 if each.secret else 0o644)
    except OSError as error:
        raise SentinelError(f"cannot write into {directory}: {reason(error)}", "give another --output") from error
    return [str(directory / each.name) for each in made]
