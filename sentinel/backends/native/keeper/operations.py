"""What clients may ask of the keeper: a function for each operation, which replies now or later."""

from __future__ import annotations

import os

from sentinel import identity

from .process import Process


def spawn(keeper: Keeper, connection: Connection, request: Message) -> None:
    """Start a run, unless that id runs."""
    id = request["id"]
    if (launch := keeper.launcher.by_id.get(id)) is not None:
        launch.joined.append((spawn, connection, request))
        return
    process = keeper.processes.get(id)
    if process is None:
        keeper.launcher.add(connection, request["seq"], request)
    elif process.ended is None:
        answer = {"already": True, **process.told()}
        connection.reply(request["seq"], answer)
    else:
        process.waiting.append((connection, request))  # what its last run left is being ended


def stop(keeper: Keeper, connection: Connection, request: Message) -> None:
    """End a tree; the reply comes when nothing is left of it."""
    id = request["id"]
    if (launch := keeper.launcher.by_id.get(id)) is not None:
        launch.joined.append((stop, connection, request))
        return
    process = keeper.processes.get(id)
    if process is None:
        connection.reply(request["seq"], {"id": id, "idle": True})
        return
    timeout = 0.0 if request.get("force") else float(request.get("timeout", 10.0))
    ending = keeper.end(process, request.get("reason", "stop"), int(request.get("signal", 15)), timeout)
    ending.waiters.append((connection, request["seq"]))


def tell(keeper: Keeper, connection: Connection, request: Message) -> None:
    """What runs (of these ids, or all), and the exit records that are not written yet."""
    ids = request.get("ids", keeper.processes)
    told = {str(id): keeper.processes[id].told() for id in ids if id in keeper.processes}
    connection.reply(request["seq"], {"processes": told, "unsaved": keeper.unsaved})


def pids(keeper: Keeper, connection: Connection, request: Message) -> None:
    """All processes of some trees."""
    found = {}
    for id in request["ids"]:
        if (process := keeper.processes.get(id)) is not None:
            found[str(id)] = list(keeper.forest.members(process))
    connection.reply(request["seq"], {"pids": found})


def adopt(keeper: Keeper, connection: Connection, request: Message) -> None:
    """Watch a process that is not our child as if it were."""
    id, pid, start = request["id"], request["pid"], request["start"]
    if (launch := keeper.launcher.by_id.get(id)) is not None:
        launch.joined.append((adopt, connection, request))
    elif (process := keeper.processes.get(id)) is not None:
        connection.reply(request["seq"], {"already": True, "pid": process.pid, "run": process.run})
    elif not identity.alive(pid, start):
        connection.reply(request["seq"], {"gone": True})
    else:
        process = Process(
            id, request["run"], pid, start, request.get("started_at", 0.0), request.get("stop_timeout", 10.0)
        )
        process.ready = bool(request.get("ready", False))
        keeper.adopt(process)
        connection.reply(request["seq"], {"pid": pid, "run": process.run})


def listen(keeper: Keeper, connection: Connection, request: Message) -> None:
    connection.listening = True
    connection.reply(request["seq"], {})


def hello(keeper: Keeper, connection: Connection, request: Message) -> None:
    """Who is there. A newer client makes the keeper become its version as soon as nothing is under way."""
    if _number(request["version"]) > _number(keeper.version):
        keeper.successor = (request["python"], request["path"], request["version"])
    connection.reply(request["seq"], {"version": keeper.version, "pid": os.getpid()})


def _number(version: str) -> list[int]:
    """2.10.1 as something to compare; what follows the digits of a part does not count."""
    parts = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        parts.append(int(digits or 0))
    return parts


HANDLERS = {
    "spawn": spawn,
    "stop": stop,
    "tell": tell,
    "pids": pids,
    "adopt": adopt,
    "listen": listen,
    "hello": hello,
}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .serve import Keeper
    from .wire import Connection, Message
