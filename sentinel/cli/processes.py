"""start, stop, restart, delete, clean, move, and the same for all processes."""

from sentinel.cli.call import Call, with_identity
from sentinel.errors import UsageError
from sentinel.supervisor.api import Done

NONE = "No processes"


def started(one: Done) -> str:
    if one.already:
        pid = f" (pid: {one.pid})" if one.pid is not None else ""
        return f"{one.name} is already running{pid}"
    return with_identity("Started", one, group=True)


def stopped(one: Done) -> str:
    return f"{one.name} was already stopped" if one.already else f"Stopped {one.name}"


def restarted(one: Done) -> str:
    return with_identity("Restarted", one)


def deleted(one: Done) -> str:
    return f"Deleted {one.name}"


def start(call: Call) -> int:
    with call.progress("starting") as progress:
        outcome = call.supervisor.start(call.values.words("names"), progress)
    return call.tell(outcome, started)


def stop(call: Call) -> int:
    with call.progress("stopping") as progress:
        outcome = call.supervisor.stop(
            call.values.words("names"), force=call.values.flag("force"), progress=progress
        )
    return call.tell(outcome, stopped)


def restart(call: Call) -> int:
    with call.progress("restarting") as progress:
        outcome = call.supervisor.restart(
            call.values.words("names"), update_env=call.values.flag("update_env"), progress=progress
        )
    return call.tell(outcome, restarted)


def delete(call: Call) -> int:
    with call.progress("deleting") as progress:
        outcome = call.supervisor.delete(
            call.values.words("names"), force=call.values.flag("force"), progress=progress
        )
    return call.tell(outcome, deleted)


def clean(call: Call) -> int:
    return call.tell(call.supervisor.clean(), deleted, "Nothing to clean")


def start_all(call: Call) -> int:
    with call.progress("starting") as progress:
        outcome = call.supervisor.start_all(progress)
    return call.tell(outcome, started, NONE)


def stop_all(call: Call) -> int:
    with call.progress("stopping") as progress:
        outcome = call.supervisor.stop_all(force=call.values.flag("force"), progress=progress)
    return call.tell(outcome, stopped, NONE)


def restart_all(call: Call) -> int:
    with call.progress("restarting") as progress:
        outcome = call.supervisor.restart_all(progress)
    return call.tell(outcome, restarted, NONE)


def move(call: Call) -> int:
    backend = call.values.text("to")
    if backend is None:
        raise UsageError("where to move is not said", "add --to native or --to systemd")

    def moved(one: Done) -> str:
        if one.already:
            return f"{one.name} is already on {backend}"
        return with_identity(f"Moved to {backend}:", one)

    with call.progress("moving") as progress:
        outcome = call.supervisor.move(call.values.words("names"), backend, progress)
    return call.tell(outcome, moved)
