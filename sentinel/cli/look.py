"""list and status: what the processes are, as table, as lines, or as JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sentinel.cli.call import Call
from sentinel.cli.columns import Column, Table
from sentinel.cli.events import sentence
from sentinel.cli.text import BOLD, DIM, GREEN, RED, YELLOW, coloured, escape, has_colour, pad
from sentinel.errors import UsageError
from sentinel.quantities import human_duration, human_size
from sentinel.supervisor.api import JSON_KEYS, Listing, ProcessView

if TYPE_CHECKING:
    from sentinel.cli.output import Output

EMPTY = "No processes; start one with: sentinel run COMMAND --name NAME"
COLUMNS = (
    Column("ID", right=True),
    Column("NAME", least=12, order=3, fair=24),
    Column("PID", right=True),
    Column("STATUS"),
    Column("CPU", right=True),
    Column("MEM", right=True),
    Column("UPTIME", right=True),
    Column("RESTART", order=6),
    Column("USER", least=4, order=5),
    Column("GROUP", order=2),
    Column("COMMAND", least=12, order=1, fair=28),
)
STATUS_COLUMN = 3
STATUS_COLOURS = {
    "running": GREEN, "starting": YELLOW, "stopping": YELLOW, "backoff": YELLOW,
    "failed": RED, "unhealthy": RED, "exited": DIM, "stopped": DIM,
}  # fmt: skip


def list_processes(call: Call) -> int:
    group = call.values.text("group")
    if call.values.flag("watch"):
        _check_watch(call)
        from sentinel.cli.watch import watch

        call.stays()
        return watch(call.out, lambda: call.supervisor.list(group))
    listing = call.supervisor.list(group)
    tell(call.out, listing)
    if call.out.json:
        call.out.data([as_data(one) for one in listing.processes])
    elif listing.processes:
        call.out.raw("\n".join(table_lines(call.out, listing.processes)) + "\n")
    else:
        call.out.note(f"No processes in group {group}" if group else EMPTY)
    return 0


def _check_watch(call: Call) -> None:
    if call.out.json:
        raise UsageError("--watch and --json contradict each other", "leave one of them away")
    if not call.out.on_terminal:
        raise UsageError("--watch needs a terminal", "leave it away")


def tell(out: "Output", listing: Listing) -> None:
    """What happened because somebody looked."""
    for name, old, new in listing.restarted:
        out.note(f"Auto-restarted {name} (old_pid: {'unknown' if old is None else old}, new_pid: {new})")
    out.warnings(listing.warnings)


def as_data(view: ProcessView) -> dict[str, Any]:
    return {key: getattr(view, key) for key in JSON_KEYS}


def table_lines(out: "Output", processes: Sequence[ProcessView]) -> list[str]:
    return Table(COLUMNS, [row(one) for one in processes], colours(processes)).on(out)


def row(view: ProcessView) -> list[str]:
    return [
        str(view.id),
        view.name,
        "-" if view.pid is None else str(view.pid),
        shown_status(view),
        "-" if view.cpu_percent is None else f"{view.cpu_percent:.1f}%",
        human(view.memory_bytes, human_size),
        human(view.uptime_seconds, human_duration),
        f"{view.restart_policy} ({view.restarts})" if view.restarts else view.restart_policy,
        view.user,
        view.group or "-",
        view.command,
    ]


def human(value: Any, said: Any) -> str:
    return "-" if value is None else str(said(value))


def shown_status(view: ProcessView) -> str:
    return "unhealthy" if view.status == "running" and view.health == "unhealthy" else view.status


def colours(processes: Sequence[ProcessView]) -> dict[tuple[int, int], str]:
    return {
        (at, STATUS_COLUMN): STATUS_COLOURS.get(shown_status(one), "") for at, one in enumerate(processes)
    }


def status(call: Call) -> int:
    listing = call.supervisor.status(call.values.words("names"))
    tell(call.out, listing)
    if call.out.json:
        data = [as_data(one) for one in listing.processes]
        call.out.data(data[0] if len(call.values.words("names")) == 1 and len(data) == 1 else data)
        return 0
    colour = has_colour(call.out.out)
    texts = ["".join(f"{line}\n" for line in status_lines(one, colour)) for one in listing.processes]
    call.out.raw("\n".join(texts))
    return 0


def status_lines(view: ProcessView, colour: bool = False) -> list[str]:
    """`key: value`, one for each fact that there is."""
    lines = []
    for key, value in facts(view):
        shown = escape(value)
        if colour and key == "Status":
            shown = coloured(shown, STATUS_COLOURS.get(shown_status(view), ""))
        lines.append(pad(f"{key}:", 16) + shown)
    if colour and lines:
        lines[0] = coloured(lines[0], BOLD)
    return lines


def facts(view: ProcessView) -> list[tuple[str, str]]:
    told = [
        ("Name", f"{view.name} (id: {view.id})"),
        ("Status", view.status),
        ("PID", human(view.pid, str)),
        ("CPU", "-" if view.cpu_percent is None else f"{view.cpu_percent:.1f}%"),
        ("Memory", human(view.memory_bytes, human_size)),
        ("Uptime", _uptime(view)),
        ("Restart", _restart(view)),
        ("Restarts", str(view.restarts)),
        ("Last exit", last_exit(view)),
        ("Health", _health(view)),
        ("User", view.user),
        ("Group", view.group or "-"),
        ("Directory", view.cwd),
        ("Command", view.command),
        ("Backend", f"{view.backend} ({view.unit})" if view.unit else view.backend),
        ("Ports", ", ".join(f"{variable}={port}" for variable, port in view.ports.items()) or "-"),
        ("Env file", view.env_file or "-"),
        ("Stdout log", view.stdout_log or "the journal"),
        ("Stderr log", view.stderr_log or "the journal"),
    ]
    told += [("Note", note) for note in view.notes]
    return told + [("Event", sentence(event, name=False)) for event in view.events]


def _uptime(view: ProcessView) -> str:
    if view.uptime_seconds is None:
        return "-"
    if view.started_at is None:
        return human(view.uptime_seconds, human_duration)
    return f"{human(view.uptime_seconds, human_duration)} (since {local_time(view.started_at)})"


def local_time(seconds: float) -> str:
    import time

    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _restart(view: ProcessView) -> str:
    said = [view.restart_policy]
    if view.restart_delay is not None:
        said.append(f"delay {human_duration(view.restart_delay)}")
    if view.max_restarts is not None:
        said.append(f"at most {view.max_restarts}")
    return ", ".join(said)


def last_exit(view: ProcessView) -> str:
    why = f" ({view.exit_reason})" if view.exit_reason else ""
    if view.exit_signal is not None:
        return f"signal {view.exit_signal} ({signal_name(view.exit_signal)}){why}"
    if view.exit_code is not None:
        return f"exit code {view.exit_code}{why}"
    return f"unknown{why}" if view.exit_reason else "-"


def signal_name(number: int) -> str:
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal" if number > 31 else "unknown"


def _health(view: ProcessView) -> str:
    if view.health is None:
        return "-"
    said = [view.health, view.health_check or "", view.health_message]
    return "; ".join(filter(None, said))
