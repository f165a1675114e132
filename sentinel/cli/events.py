"""events: what happened to processes, and why."""

import json
from typing import TYPE_CHECKING

from sentinel.cli.call import Call
from sentinel.cli.text import escape

if TYPE_CHECKING:
    from sentinel.events import Event

QUIET = ("clean", "run")  # details that a sentence for people leaves out


def events(call: Call) -> int:
    from sentinel import quantities

    names = call.values.words("names")
    lines = quantities.count(call.values.required("lines"), what="--lines")
    given = call.values.text("since")
    since = None if given is None else quantities.since(given)
    if call.values.flag("follow"):
        for event in call.supervisor.event_follow(names, lines, since):
            if event is None:
                call.out.flush()
            else:
                _show(call, event)
        return 0
    for event in call.supervisor.events(names, lines, since):
        _show(call, event)
    return 0


def _show(call: Call, event: "Event") -> None:
    if call.out.json:
        facts = {"at": event.at, "event": event.event, "id": event.id, "name": event.name, **event.details}
        call.out.raw(json.dumps(facts) + "\n")
    else:
        call.out.raw(f"{sentence(event)}\n")


def sentence(event: "Event", *, name: bool = True) -> str:
    """One event on one line: when, what, who, and the details that matter."""
    import time

    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.at))
    details = [f"{key.replace('_', ' ')} {value}" for key, value in event.details.items() if key not in QUIET]
    if event.event == "exited" and not event.details.keys() & {"exit_code", "exit_signal"}:
        details.insert(0, "how is not known")
    words = ", ".join(details)
    who = f" {event.name}" if name else ""
    return escape(f"{when}  {event.event}{who}" + (f" ({words})" if words else ""))
