"""A property list for each process, see launchd.plist(5)."""

from sentinel.model import Restart
from sentinel.names import printable
from sentinel.supervisor.export.job import (
    Job,
    Made,
    Options,
    Show,
    file_stem,
    hidden_note,
    note_common,
    note_limits,
)
from sentinel.supervisor.startup.on_launchd import plist

_SHORTEST = 10  # seconds between two starts, launchd's own choice


def files(jobs: list[Job], options: Options) -> list[Made]:
    return [_file(job, options) for job in jobs]


def _file(job: Job, options: Options) -> Made:
    label = f"local.{file_stem(job.name)}"
    content: dict[str, object] = {
        "Label": label,
        "ProgramArguments": [job.program, *job.arguments],
        "WorkingDirectory": job.cwd,
        "RunAtLoad": True,
        "KeepAlive": {Restart.ALWAYS: True, Restart.NO: False, Restart.ON_FAILURE: {"SuccessfulExit": False}}[
            job.restart.mode
        ],
        "ExitTimeOut": max(1, round(job.stop_timeout)),
        **_who(job, options),
        **_limits(job),
        **_variables(job, options),
    }
    _notes(job)
    head, declaration, rest = plist(content).partition('"http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n')
    comments = [f"Written by sentinel for {printable(job.name)}.", *job.notes]
    told = "".join(f"<!-- {_comment(note)} -->\n" for note in comments)
    return Made(f"{label}.plist", head + declaration + told + rest, secret=options.show is Show.FILE)


def _comment(text: str) -> str:
    """A comment in XML cannot hold two dashes, nor end in one."""
    return printable(text, 4000).replace("--", "- -").replace("--", "- -").rstrip("-")


def _who(job: Job, options: Options) -> dict[str, object]:
    return {"UserName": job.user} if job.user and options.scope == "system" else {}


def _limits(job: Job) -> dict[str, object]:
    limits = job.limits
    found: dict[str, object] = {}
    if limits.nice is not None:
        found["Nice"] = limits.nice
    if limits.ionice == "idle":
        found["LowPriorityIO"] = True
    if limits.nofile is not None:
        found["SoftResourceLimits"] = found["HardResourceLimits"] = {"NumberOfFiles": limits.nofile}
    note_limits(job, "nice", "nofile", *(["ionice"] if limits.ionice == "idle" else []), format="launchd")
    if job.restart.mode is not Restart.NO:
        found["ThrottleInterval"] = max(1, round(job.restart.delay)) if job.restart.delay else _SHORTEST
    return found


def _variables(job: Job, options: Options) -> dict[str, object]:
    from sentinel.errors import Unsupported

    if options.show is Show.HIDDEN:
        if job.env:
            job.note(hidden_note(job))
        return {}
    kept: dict[str, str] = {}
    for name, value in sorted(job.env.items()):
        try:
            plist({name: value})
        except Unsupported:
            job.note(f"dropped: the variable {name}; a property list cannot hold its value")
        else:
            kept[name] = value
    return {"EnvironmentVariables": kept} if kept else {}


def _notes(job: Job) -> None:
    note_common(job, format="launchd")
    if job.restart.max_restarts is not None:
        job.note(f"dropped: --max-restarts {job.restart.max_restarts}; launchd never gives up")
    if job.stop_signal != "TERM":
        job.note(f"dropped: --stop-signal {job.stop_signal}; launchd sends TERM")
    if job.startup_timeout is not None:
        job.note("dropped: --startup-timeout; launchd does not wait for readiness")
    job.note("its output goes nowhere: add StandardOutPath and StandardErrorPath for files")
