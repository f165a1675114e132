"""Program sections for supervisord, see its configuration file's documentation.

A value stands on one line; a blank before ";" or "#" would begin a comment, also within quotes; "%" begins an
expansion. Values of `environment` know no escapes, only two kinds of quotes.
"""

import re

from sentinel.errors import Unsupported
from sentinel.model import Restart
from sentinel.names import printable
from sentinel.supervisor.export.job import (
    Job,
    Made,
    Options,
    Show,
    hidden_note,
    note_common,
    note_limits,
)

_RETRIES = 1_000_000_000  # supervisord has no "never give up"
_COMMENT = re.compile(r"(\s)([;#])")
_SAFE_NAME = re.compile(r"[^A-Za-z0-9_.-]")


def files(jobs: list[Job], options: Options) -> list[Made]:
    text = "\n".join(_section(job, options) for job in jobs)
    return [Made("sentinel.conf", text, secret=options.show is Show.FILE)]


def _section(job: Job, options: Options) -> str:
    name = _SAFE_NAME.sub("_", job.name)
    if name != job.name:
        job.note(f"it is called {name} here")
    command = " ".join(_word(job, word) for word in (job.program, *job.arguments))
    again = {Restart.NO: "false", Restart.ON_FAILURE: "unexpected", Restart.ALWAYS: "true"}[job.restart.mode]
    most = job.restart.max_restarts
    retries = 0 if job.restart.mode is Restart.NO else most if most is not None else _RETRIES
    lines = [
        f"command={command}",
        f"directory={_plain(job, job.cwd)}",
        *([f"user={_plain(job, job.user)}"] if job.user and options.scope == "system" else []),
        *_variables(job, options),
        "autostart=true",
        f"autorestart={again}",
        "exitcodes=0",
        "startsecs=1",
        f"startretries={retries}",
        f"stopsignal={_signal(job)}",
        f"stopwaitsecs={max(1, round(job.stop_timeout))}",
        "stopasgroup=true",
        "killasgroup=true",
    ]
    _notes(job)
    comments = [f"; {printable(note, 4000)}" for note in job.notes]
    return "\n".join([*comments, f"[program:{name}]", *lines]) + "\n"


def _word(job: Job, text: str) -> str:
    """A word of a command: split as a shell does, after the comment and the expansions are gone."""
    _one_line(job, text)
    word = text if re.fullmatch(r"[A-Za-z0-9_@+=:,./-]+", text) else "'" + text.replace("'", "'\"'\"'") + "'"
    return _COMMENT.sub(r"\1''\2", word).replace("%", "%%")


def _plain(job: Job, text: str) -> str:
    _one_line(job, text)
    if _COMMENT.search(text) or text != text.strip():
        raise Unsupported(f"cannot export {job.name}: supervisord cannot read {printable(text)!r}", "rename it")
    return text.replace("%", "%%")


def _one_line(job: Job, text: str) -> None:
    if "\n" in text or "\r" in text:
        raise Unsupported(
            f"cannot export {job.name}: supervisord cannot read the line break in {printable(text)!r}",
            "put the command into a script",
        )


def _variables(job: Job, options: Options) -> list[str]:
    if not job.env:
        return []
    if options.show is Show.HIDDEN:
        job.note(hidden_note(job))
        return []
    kept = {name: _value(value) for name, value in sorted(job.env.items())}
    lost = [name for name, value in kept.items() if value is None or not re.fullmatch(r"[A-Za-z0-9_]+", name)]
    if lost:
        job.note(f"dropped: variables that supervisord cannot read: {', '.join(lost)}")
    pairs = ",".join(f"{name}={value}" for name, value in kept.items() if name not in lost)
    return [f"environment={pairs}"] if pairs else []


def _value(value: str) -> str | None:
    """In quotes; None: no quotes hold it."""
    broken = _COMMENT.search(value) or any(not char.isprintable() for char in value)
    if broken or value[:1] in ("'", '"') or value[-1:] in ("'", '"'):
        return None
    quote = next((each for each in ('"', "'") if each not in value), None)
    return None if quote is None else f"{quote}{value}{quote}".replace("%", "%%")


def _signal(job: Job) -> str:
    known = ("TERM", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2")
    if job.stop_signal in known:
        return job.stop_signal
    job.note(f"dropped: --stop-signal {job.stop_signal}; supervisord knows {', '.join(known)}")
    return "TERM"


def _notes(job: Job) -> None:
    note_common(job, format="supervisord")
    note_limits(job, format="supervisord")
    if job.restart.delay is not None:
        job.note("dropped: --restart-delay; supervisord waits one second more after each failed start")
    if job.startup_timeout is not None:
        job.note("dropped: --startup-timeout; supervisord takes a program that ran for a second as started")
