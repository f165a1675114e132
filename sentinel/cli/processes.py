"""start, stop, restart, delete, clean, move, and the same for all processes."""

from functools import partial

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
    return call.perform("starting", partial(call.supervisor.start, call.values.words("names")), started)


def stop(call: Call) -> int:
    work = partial(call.supervisor.stop, call.values.words("names"), force=call.values.flag("force"))
    return call.perform("stopping", work, stopped)


def restart(call: Call) -> int:
    work = partial(call.supervisor.restart, call.values.words("names"), update_env=call.values.flag("update_env"))
    return call.perform("restarting", work, restarted)


def delete(call: Call) -> int:
    work = partial(call.supervisor.delete, call.values.words("names"), force=call.values.flag("force"))
    return call.perform("deleting", work, deleted)


def clean(call: Call) -> int:
    return call.tell(call.supervisor.clean(), deleted, "Nothing to clean")


def start_all(call: Call) -> int:
    return call.perform("starting", call.supervisor.start_all, started, NONE)


def stop_all(call: Call) -> int:
    return call.perform("stopping", partial(call.supervisor.stop_all, force=call.values.flag("force")), stopped, NONE)


def restart_all(call: Call) -> int:
    return call.perform("restarting", call.supervisor.restart_all, restarted, NONE)


def move(call: Call) -> int:
    backend = call.values.text("to")
    if backend is None:
        raise UsageError("where to move is not said", "add --to native or --to systemd")

    def moved(one: Done) -> str:
        if one.already:
            return f"{one.name} is already on {backend}"
        return with_identity(f"Moved to {backend}:", one)

    return call.perform("moving", partial(call.supervisor.move, call.values.words("names"), backend), moved)
