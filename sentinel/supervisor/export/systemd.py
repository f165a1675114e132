"""A unit file for each process, with its variables in a file of their own beside it."""

from sentinel.backends.systemd import environment
from sentinel.model import Restart
from sentinel.names import printable
from sentinel.quoting import Place, escape, exec_line
from sentinel.rendering import render
from sentinel.supervisor.export.job import Job, Made, Options, Show, file_stem, hidden_note, note_common

Lines = list[tuple[str, str]]
_WHILE_UP = 10  # seconds of uptime after which restarts count anew


def files(jobs: list[Job], options: Options) -> list[Made]:
    return [made for job in jobs for made in _files(job, options)]


def _files(job: Job, options: Options) -> list[Made]:
    stem = file_stem(job.name)
    made: list[Made] = []
    variables = _variables(job, options, stem, made)
    note_common(job, format="systemd")
    if job.to_files:
        job.note("approximated: its output goes to the journal, not to files")
    service = [
        *_type(job),
        *([("User", escape(job.user, Place.LINE))] if job.user and options.scope == "system" else []),
        ("WorkingDirectory", escape(job.cwd, Place.LINE)),
        ("ExecStart", exec_line(job.program, job.arguments)),
        *variables,
        *_restart(job),
        *_stop(job),
        *_limits(job),
    ]
    comments = [f"Written by sentinel for {printable(job.name)}."] + [printable(note, 4000) for note in job.notes]
    text = render(
        "process.service.j2",
        comments=comments,
        unit=_unit(job, options),
        service=service,
        wanted_by="multi-user.target" if options.scope == "system" else "default.target",
    )
    return [Made(f"{stem}.service", text), *made]


def _unit(job: Job, options: Options) -> Lines:
    lines = [("Description", escape(f"{printable(job.name)} (by sentinel)", Place.LINE))]
    if options.scope == "system":
        lines += [("After", "network-online.target"), ("Wants", "network-online.target")]
    most = job.restart.max_restarts
    if job.restart.mode is Restart.NO:
        return lines
    if most is None:
        return [*lines, ("StartLimitIntervalSec", "0")]
    job.note(f"approximated: --max-restarts {most} counts the starts of a span of time, not those of short runs")
    wait = job.restart.delay if job.restart.delay is not None else 0.1
    return [*lines, ("StartLimitIntervalSec", _seconds((most + 1) * (_WHILE_UP + wait))),
            ("StartLimitBurst", str(most + 1))]  # fmt: skip


def _type(job: Job) -> Lines:
    if not job.notify:
        if job.startup_timeout is not None:
            job.note("dropped: --startup-timeout, which waited for the health check")
        return [("Type", "exec")]
    timeout = [("TimeoutStartSec", _seconds(job.startup_timeout))] if job.startup_timeout is not None else []
    return [("Type", "notify"), ("NotifyAccess", "all"), *timeout]


def _variables(job: Job, options: Options, stem: str, made: list[Made]) -> Lines:
    env = environment.own(job.env)
    lost = [name for name in env if not environment.fits_file({name: env[name]})]
    if lost:
        job.note(f"dropped: variables that systemd cannot pass on: {', '.join(sorted(lost))}")
    env = {name: value for name, value in env.items() if name not in lost}
    if not env:
        return []
    if options.show is Show.PLAIN:
        return [("Environment", escape(f"{name}={value}", Place.WORD)) for name, value in sorted(env.items())]
    if options.show is Show.HIDDEN or options.directory is None:
        job.note(hidden_note(job))
        return []
    made.append(Made(f"{stem}.env", environment.environment_file(env).decode(), secret=True))
    return [("EnvironmentFile", escape(str(options.directory / f"{stem}.env"), Place.PATTERN))]


def _restart(job: Job) -> Lines:
    delay = job.restart.delay if job.restart.delay is not None else 0.1
    if job.restart.mode is Restart.NO:
        return []
    return [("Restart", job.restart.mode.value), ("RestartSec", _seconds(delay))]


def _stop(job: Job) -> Lines:
    return [("KillSignal", f"SIG{job.stop_signal}"), ("TimeoutStopSec", _seconds(max(job.stop_timeout, 0.001)))]


def _limits(job: Job) -> Lines:
    limits = job.limits
    lines: Lines = []
    if limits.nice is not None:
        lines.append(("Nice", str(limits.nice)))
    if limits.ionice is not None:
        kind, _, level = limits.ionice.partition(":")
        lines.append(("IOSchedulingClass", kind))
        if level:
            lines.append(("IOSchedulingPriority", level))
    if limits.nofile is not None:
        lines.append(("LimitNOFILE", str(limits.nofile)))
    if limits.memory_max is not None:
        lines.append(("MemoryMax", str(limits.memory_max)))
    return lines


def _seconds(value: float | None) -> str:
    """Up to microseconds, which is as fine as systemd counts."""
    return f"{value or 0:.6f}".rstrip("0").rstrip(".") + "s"
