"""What each engine does with each option and command: enforced, emulated or refused. Data alone.

The engines refuse what this says (see sentinel.backends.refusal), and docs/backends.md is made from it.
"""

from collections.abc import Mapping

ENFORCED, EMULATED, REFUSED = "enforced", "emulated", "refused"
PLACES = {
    "native-linux": "native, Linux",
    "native-macos": "native, macOS",
    "systemd-user": "systemd, user",
    "systemd-system": "systemd, system",
}


class Cell:
    """What becomes of one thing in one place. `message` and `hint` are what a refusal says.

    `root_only`: whoever is not root is refused.
    """

    __slots__ = ("hint", "how", "message", "note", "root_only")

    def __init__(self, how: str, note: str = "", message: str = "", hint: str = "", root_only: bool = False) -> None:
        self.how = how
        self.note = note
        self.message = message
        self.hint = hint
        self.root_only = root_only


class Row:
    """One option, or one case of it, or one command, in the four places."""

    __slots__ = ("case", "cells", "command", "option")

    def __init__(self, command: str, option: str, case: str, cells: Mapping[str, Cell]) -> None:
        self.command = command
        self.option = option  # empty: the command itself
        self.case = case
        self.cells = cells

    @property
    def key(self) -> tuple[str, str, str]:
        return self.command, self.option, self.case


def yes(note: str = "") -> Cell:
    return Cell(ENFORCED, note)


def like(note: str) -> Cell:
    return Cell(EMULATED, note)


def no(message: str, hint: str) -> Cell:
    return Cell(REFUSED, "", message, hint)


def root(message: str, hint: str) -> Cell:
    return Cell(ENFORCED, "root only", message, hint, root_only=True)


def _row(command: str, option: str = "", case: str = "", *cells: Cell) -> Row:
    """One cell: the same in all places; two: native and systemd; three: native, systemd user and system."""
    if len(cells) < 2:
        linux = macos = user = system = cells[0] if cells else yes()
    elif len(cells) == 2:
        (linux, user), (macos, system) = cells, cells
    elif len(cells) == 3:
        linux, user, system = cells
        macos = linux
    else:
        linux, macos, user, system = cells
    return Row(command, option, case, dict(zip(PLACES, (linux, macos, user, system), strict=True)))


_DAEMON = "at once while the daemon runs, else when the next command of sentinel looks"
_CHECKED = "checked by the daemon"
_READ_BACK = "read back after the start: where the manager has no {} controller, a warning says so"
_TREE = "without a sub-reaper: what left session, group and parents before a look is not found"
_NO_SLICES = no(
    "the native engine has no control groups, which limits on a group need",
    "leave them out, use 'sentinel run --memory-max' for each process, or --backend systemd",
)
_NO_SYSTEMD = no("this system has no systemd", "use --backend native")

RUN = (
    _row("run", "COMMAND", "", yes()),
    _row("run", "--name", "", yes(), yes("part of the unit's name")),
    _row("run", "--group", "", yes(), yes("a slice")),
    _row("run", "--instances", "", yes()),
    _row("run", "--user", "oneself", yes()),
    _row(
        "run", "--user", "another user",
        root("only root may run processes as another user", "leave out --user, or use sudo"),
        no("a user's own service manager cannot run processes as another user",
           "run sentinel as root for that, which uses the system's manager"),
        yes(),
    ),
    _row("run", "--cwd", "", yes()),
    _row("run", "--env", "", yes(), yes("names that systemd cannot pass are told")),
    _row("run", "--env-file", "", yes()),
    _row("run", "--port", "", yes()),
    _row("run", "--backend", "native", yes()),
    _row("run", "--backend", "systemd", yes(), _NO_SYSTEMD, yes(), yes()),
    _row("run", "--restart", "", yes(_DAEMON), yes()),
    _row("run", "--restart-policy", "", yes(_DAEMON), yes()),
    _row("run", "--restart-delay", "", yes(), like("a hook of the unit waits: systemd's own delay does not grow")),
    _row("run", "--max-restarts", "", yes(), like("counted by a hook of the unit: systemd counts otherwise")),
    _row("run", "--startup-timeout", "", yes()),
    _row("run", "--stop-timeout", "5 s or more", yes()),
    _row("run", "--stop-timeout", "below 5 s", yes(),
         like("sentinel kills in time; for `systemctl stop` it is 5 s")),
    _row("run", "--stop-signal", "", yes()),
    _row("run", "--on-failure", "", yes(_DAEMON)),
    *(_row("run", option, "", yes(_CHECKED)) for option in ("--health-http", "--health-tcp",
      "--health-cmd", "--health-interval", "--health-timeout", "--health-failures")),
    _row("run", "--nice", "0 to 19", yes()),
    _row(
        "run", "--nice", "below 0",
        root("--nice: only root may go below 0", "use --nice 0 to 19"),
        no("a user's own service manager may not raise priorities", "give --nice 0 to 19"),
        yes(),
    ),
    _row("run", "--ionice", "idle, best-effort", yes(), no("--ionice needs Linux", "leave it out"), yes(), yes()),
    _row(
        "run", "--ionice", "realtime",
        root("--ionice realtime: only root may use it", "use best-effort or idle"),
        no("--ionice needs Linux", "leave it out"),
        no("a user's own service manager may not give realtime i/o priority", "use --ionice best-effort:0"),
        yes(),
    ),
    _row("run", "--limit-nofile", "", yes("above the hard limit: root only, else the start fails"),
         yes("above the manager's hard limit: lowered, and a warning says so"), yes()),
    _row("run", "--memory-max", "", like("the daemon restarts a tree that passes it"),
         yes(_READ_BACK.format("memory"))),
    _row("run", "--logs", "auto", yes("files"), yes("the journal")),
    _row("run", "--logs", "file", yes()),
    _row("run", "--logs", "journal",
         no("the native engine writes log files, not the journal", "leave --logs out"), yes()),
    _row("run", "--log-max-size", "", yes("by the daemon"),
         yes("with `--logs file`, by the daemon; the journal has limits of its own")),
    _row("run", "--log-backups", "", yes(), yes("with `--logs file`; the journal has limits of its own")),
    _row("run", "--json", "", yes()),
)  # fmt: skip

GROUP_CREATE = (
    _row("group create", "--env", "", yes()),
    _row("group create", "--env-file", "", yes()),
    _row("group create", "--memory-max", "", _NO_SLICES, yes(_READ_BACK.format("memory"))),
    _row("group create", "--cpu-quota", "", _NO_SLICES, yes(_READ_BACK.format("cpu"))),
    _row("group create", "--tasks-max", "", _NO_SLICES, yes(_READ_BACK.format("pids"))),
    _row("group create", "--json", "", yes()),
)

# Commands that are not named here are the same everywhere.
COMMANDS = (
    _row("stop", "", "", yes(), like(_TREE), yes(), yes()),
    _row("restart", "", "", yes(), like(_TREE), yes(), yes()),
    _row("delete", "", "", yes(), like(_TREE), yes(), yes()),
    _row("move", "", "", yes(), _NO_SYSTEMD, yes(), yes()),
    _row("logs", "--stream", "", yes(), yes("told apart by priority")),
    _row("logs", "--since", "", like("files keep no time for each line: a few older ones may be shown"),
         yes("with `--logs file`: as native")),
    _row("logs", "--clear", "", yes(), like("a position is remembered: the journal itself is the administrator's")),
    _row("logs", "--json", "", yes("`at` is null: files keep no time for each line"), yes()),
    _row("list", "", "", yes("restarts what is due, where no daemon runs"), yes()),
    _row("status", "", "", yes("restarts what is due, where no daemon runs"), yes()),
    _row("events", "", "", yes(), yes("what happens while no command looks and no daemon runs is told later")),
    _row("group create", "", "", yes("a name and its variables"), yes("a slice, once something runs in it")),
    _row("group add", "", "", yes("variables apply at the next start, or at once with `--restart`"),
         yes("moves into the slice at the next start, or at once with `--restart`")),
    _row("daemon start", "", "", yes(), yes("as a unit, `sentinel-daemon.service`")),
    _row("daemon start", "--backend", "systemd", yes(), _NO_SYSTEMD, yes(), yes()),
)  # fmt: skip

ROWS: dict[tuple[str, str, str], Row] = {row.key: row for row in (*RUN, *GROUP_CREATE, *COMMANDS)}
