"""A Procfile, and beside it a file of variables for each process. Whatever runs it also restarts, or does not."""

import re
import shlex

from sentinel.backends.systemd.environment import quoted
from sentinel.errors import Unsupported
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

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def files(jobs: list[Job], options: Options) -> list[Made]:
    made: list[Made] = []
    lines = [_line(job, options, made) for job in jobs]
    comments = [f"# {printable(job.name)}: {printable(note, 4000)}" for job in jobs for note in job.notes]
    return [Made("Procfile", "\n".join([*comments, *lines]) + "\n", secret=options.show is Show.PLAIN), *made]


def _line(job: Job, options: Options, made: list[Made]) -> str:
    words = [*_variables(job, options, made), f"cd {_word(job, job.cwd)}", "&&", "exec"]
    _notes(job)
    name = re.sub(r"[^A-Za-z0-9_-]", "_", job.name)
    if name != job.name:
        job.note(f"it is called {name} here")
    return f"{name}: {' '.join([*words, *(_word(job, word) for word in (job.program, *job.arguments))])}"


def _word(job: Job, text: str) -> str:
    if "\n" in text or "\r" in text:
        raise Unsupported(
            f"cannot export {job.name}: a Procfile cannot hold the line break in {printable(text)!r}",
            "put the command into a script",
        )
    return shlex.quote(text)


def _variables(job: Job, options: Options, made: list[Made]) -> list[str]:
    plain = {name: value for name, value in job.env.items() if _VARIABLE.fullmatch(name)}
    if options.show is Show.HIDDEN:
        if plain:
            job.note(hidden_note(job))
        return []
    if options.show is Show.PLAIN or options.directory is None:
        return ["export", *(f"{name}={_word(job, value)}" for name, value in sorted(plain.items())), "&&"]
    name = f"{file_stem(job.name)}.env"
    text = b"".join(b"export %s=%s\n" % (key.encode(), quoted(value)) for key, value in sorted(plain.items()))
    made.append(Made(name, text.decode("utf-8", "surrogateescape"), secret=True))
    return [".", _word(job, str(options.directory / name)), "&&"]


def _notes(job: Job) -> None:
    note_common(job, format="a Procfile")
    note_limits(job, format="a Procfile")
    if job.restart.mode is not Restart.NO:
        job.note(f"dropped: the restart policy ({job.restart.mode.value}); a Procfile has none")
    if job.user:
        job.note(f"dropped: the user {job.user}")
    if job.stop_signal != "TERM":
        job.note(f"dropped: --stop-signal {job.stop_signal}")
    if job.startup_timeout is not None:
        job.note("dropped: --startup-timeout")
