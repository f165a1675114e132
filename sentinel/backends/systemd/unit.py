"""A Launch as the properties of a transient unit, and the 0600 files that go with it."""

import os
import signal
from functools import cache
from pathlib import Path

from sentinel.backends.base import Launch
from sentinel.backends.systemd import environment, exits
from sentinel.backends.systemd.bus import Value
from sentinel.errors import LaunchError, Unsupported
from sentinel.model import Restart, Spec
from sentinel.plain import dataclass

Properties = list[tuple[str, Value]]

INFINITY = (1 << 64) - 1
SHORTEST_STOP = 5.0  # seconds: systemd measures the hooks by the same timeout, and 0 would mean for ever
_SERVICE_RESTART = {Restart.NO: "no", Restart.ON_FAILURE: "on-failure", Restart.ALWAYS: "always"}
IDLE = 3  # the class of i/o that has no levels


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one unit are, and what the unit is called."""

    unit: str
    slice: str
    identifier: str
    env: Path  # for EnvironmentFile=
    script: Path  # for StandardInput=, where the environment is beyond that
    hooks: exits.Files


@dataclass(frozen=True, slots=True)
class Rendered:
    properties: Properties
    files: list[tuple[Path, bytes]]  # to be there, 0600, before the unit starts
    notes: list[str]


def microseconds(seconds: float) -> int:
    return int(seconds * 1_000_000)


def to_file(spec: Spec) -> bool:
    """Whether its output goes to files and not to the journal."""
    return spec.logs.kind == "file"


def render(launch: Launch, place: Place, *, system: bool, inherited: frozenset[str]) -> Rendered:
    """All of the unit. `inherited`: names in the manager's own environment, which is not the process's.

    Raises LaunchError for what can't be told to systemd.
    """
    check_program(launch)
    env = environment.own(launch.env)
    properties: Properties = [
        ("Description", Value("s", description(launch, place))),
        ("Documentation", Value("as", ["man:sentinel(1)"])),
        ("AddRef", Value("b", True)),  # for as long as we are connected: what ended at once can still be read
        ("Slice", Value("s", place.slice)),
        ("CollectMode", Value("s", "inactive")),  # a failed one stays, for an administrator to see
        ("UnsetEnvironment", Value("as", sorted(inherited - env.keys()))),
        *_restarting(launch, place),
        *_stopping(launch, place),
        *_limits(launch.record.spec),
        *_output(launch, place),
    ]
    if launch.notify:
        properties += [
            ("Type", Value("s", "notify")),
            ("NotifyAccess", Value("s", "all")),
            ("TimeoutStartUSec", Value("t", INFINITY)),  # whoever asked for readiness has a deadline
        ]
    else:
        properties.append(("Type", Value("s", "exec")))
    user = launch.account if system else None
    if user is not None:
        properties.append(("User", Value("s", user.name)))
    command, files = _command(launch, place, env, foreign=user is not None)
    lost = [
        f"the variable {name} is not set: systemd has no way to pass one of such a name"
        for name in environment.unsettable(env)
    ]
    return Rendered(properties + command, files, lost)


def _literal(path: Path) -> str:
    """For EnvironmentFile=, which takes wildcards."""
    return "".join("\\" + char if char in "\\*?[" else char for char in str(path))


def description(launch: Launch, place: Place) -> str:
    """Leads an administrator back to sentinel."""
    record = launch.record
    name = "".join(char if char.isprintable() else "?" for char in record.name)
    group = f", group {record.spec.group}" if record.spec.group else ""
    return f"sentinel: {name} (id {record.id}{group})".encode(errors="replace").decode()


def hook(name: str, argv: list[str]) -> tuple[str, Value]:
    """One of our own small scripts: as whoever the manager is, and its failure is not the unit's."""
    flags = ["no-env-expand", "privileged"]
    if name != "ExecConditionEx":
        flags.append("ignore-failure")
    return name, Value("a(sasas)", [(argv[0], argv, flags)])


def _restarting(launch: Launch, place: Place) -> Properties:
    policy = launch.record.spec.restart
    waits = policy.mode is not Restart.NO and (
        policy.max_restarts is not None or bool(exits.delays(policy.delay))
    )
    properties: Properties = [
        ("Restart", Value("s", _SERVICE_RESTART[policy.mode])),
        ("RestartUSec", Value("t", 0)),  # the hook below waits: longer after each quick death
        ("StartLimitIntervalUSec", Value("t", 0)),
        hook("ExecStopPostEx", exits.ended_hook(place.hooks, waits)),
    ]
    if waits:
        properties.append(hook("ExecConditionEx", exits.begins_hook(place.hooks, policy)))
    if policy.mode is not Restart.ALWAYS or policy.max_restarts is not None:
        # with it and no limit, whatever ends and stays away was stopped by somebody
        properties.append(hook("ExecStopEx", exits.stopping_hook(place.hooks)))
    return properties


def _stopping(launch: Launch, place: Place) -> Properties:
    spec = launch.record.spec
    return [
        ("KillMode", Value("s", "control-group")),
        ("KillSignal", Value("i", int(signal.Signals["SIG" + spec.stop_signal]))),
        ("TimeoutStopUSec", Value("t", microseconds(max(spec.stop_timeout, SHORTEST_STOP)))),
        ("SendSIGKILL", Value("b", True)),
    ]


def _limits(spec: Spec) -> Properties:
    limits = spec.limits
    properties: Properties = []
    if limits.nice is not None:
        properties.append(("Nice", Value("i", limits.nice)))
    if limits.ionice is not None:
        from sentinel.quantities import ionice_parts

        kind, level = ionice_parts(limits.ionice)
        properties.append(("IOSchedulingClass", Value("i", kind)))
        if kind != IDLE:
            properties.append(("IOSchedulingPriority", Value("i", level)))
    if limits.nofile is not None:
        properties += [(name, Value("t", limits.nofile)) for name in ("LimitNOFILE", "LimitNOFILESoft")]
    if limits.memory_max is not None:
        properties += [("MemoryMax", Value("t", limits.memory_max)), ("MemoryAccounting", Value("b", True))]
    return properties


def _output(launch: Launch, place: Place) -> Properties:
    identifier = ("SyslogIdentifier", Value("s", place.identifier))
    if to_file(launch.record.spec):
        return [
            identifier,
            ("StandardOutputFileToAppend", Value("s", launch.stdout)),
            ("StandardErrorFileToAppend", Value("s", launch.stderr)),
        ]
    journal = [(name, Value("s", "journal")) for name in ("StandardOutput", "StandardError")]
    return [identifier, *journal, ("SyslogLevelPrefix", Value("b", False))]


def _command(
    launch: Launch, place: Place, env: dict[str, str], *, foreign: bool
) -> tuple[Properties, list[tuple[Path, bytes]]]:
    """`foreign`: it runs as another user than the unit's hooks do, who must not get at them by its variables."""
    journal = not to_file(launch.record.spec)
    cat = systemd_cat() if journal else None
    if cat is None:
        argv = list(launch.argv)
    else:  # the only way to keep stdout and stderr apart in the journal; it becomes the program
        argv = [
            cat,
            f"--identifier={place.identifier}",
            "--priority=info",
            "--stderr-priority=warning",
            "--level-prefix=false",
            callable_name(launch),
            *launch.argv[1:],
        ]
    if not foreign and environment.fits_file(env) and all(map(environment.expressible, [*argv, launch.cwd])):
        properties: Properties = [
            ("ExecStartEx", Value("a(sasas)", [(cat or launch.program, argv, ["no-env-expand"])])),
            ("EnvironmentFiles", Value("a(sb)", [(_literal(place.env), False)])),
            ("WorkingDirectory", Value("s", launch.cwd)),
        ]
        return properties, [(place.env, environment.environment_file(env))]
    if cat is None:
        argv[0] = callable_name(launch)
    properties = [
        ("ExecStartEx", Value("a(sasas)", [("/bin/sh", ["/bin/sh", "-s"], ["no-env-expand"])])),
        ("StandardInputFile", Value("s", str(place.script))),
        ("WorkingDirectory", Value("s", "/")),
    ]
    return properties, [(place.script, environment.script(env, launch.cwd, argv))]


def callable_name(launch: Launch) -> str:
    """What execvp(3) is told, so that argv[0] arrives as given where that finds the same program."""
    name = launch.argv[0]
    if "/" in name or not name:
        return launch.program
    import shutil

    found = shutil.which(name, path=launch.env.get("PATH", os.defpath))
    return name if found == launch.program else launch.program


@cache
def systemd_cat() -> str | None:
    import shutil

    return shutil.which("systemd-cat", path="/usr/bin:/bin")


def check_program(launch: Launch) -> None:
    """Raise LaunchError for what can't be executed: behind systemd-cat systemd itself would not notice."""
    if not os.path.isfile(launch.program):
        raise LaunchError(f"{launch.program}: no such file", "check the command")
    if not os.access(launch.program, os.X_OK):
        raise LaunchError(
            f"{launch.program}: permission denied", f"make it executable: chmod +x {launch.program}"
        )
    try:
        with open(launch.program, "rb") as file:
            first = file.read(256)
    except OSError:
        return  # executable and not readable is fine
    if first.startswith(b"#!"):
        words = first[2:].split(b"\n", 1)[0].split()
        if words and not os.path.exists(words[0]):
            interpreter = os.fsdecode(words[0])
            raise LaunchError(
                f"{launch.program}: its interpreter {interpreter} does not exist", "correct its first line"
            )
    if not os.path.isdir(launch.cwd):
        raise LaunchError(
            f"working directory {launch.cwd} does not exist", "create it, or give another with --cwd"
        )


def refuse_text(texts: dict[str, str]) -> None:
    """Raise Unsupported where a path of ours can't be written in D-Bus."""
    for what, text in texts.items():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Unsupported(
                f"{what} is not UTF-8, which systemd requires", "use --backend native"
            ) from None


SETUP_FAILURES: dict[int, str] = {
    200: "working directory {cwd} does not exist or may not be entered",
    201: "its priority may not be set",
    203: "{program} cannot be executed",
    204: "not enough memory to start it",
    205: "its limits may not be set",
    208: "its standard input cannot be opened",
    209: "its output cannot be opened",
    211: "its i/o priority may not be set",
    214: "its scheduling may not be set",
    216: "its group may not be set",
    217: "its user may not be set or does not exist",
    218: "its capabilities may not be set",
    219: "its control group cannot be set up",
    226: "its namespace cannot be set up",
    233: "its log directory cannot be used",
}


def setup_failure(status: int, launch: Launch) -> str | None:
    """What systemd could not set up, in words; None: it is no status of that kind."""
    if status in SETUP_FAILURES:
        return SETUP_FAILURES[status].format(cwd=launch.cwd, program=launch.program)
    return f"systemd could not set it up (status {status})" if 200 <= status <= 243 else None


def files_of(place: Place) -> tuple[Path, ...]:
    return place.env, place.script
