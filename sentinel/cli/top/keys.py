"""What the keys of `top` do: a pure function of the model and a key."""

from sentinel.cli.top.model import SORTS, Model
from sentinel.plain import dataclass

HELP = "j/k move  / filter  s sort  S start  x stop  r restart  f logs  q quit"
HELP_FOLLOWING = "f back  S start  x stop  r restart  q quit"


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


@dataclass(frozen=True, slots=True)
class Act:
    """Do this to a process: "start", "stop" or "restart"."""

    verb: str
    name: str


ACTIONS = {"S": "start", "x": "stop", "r": "restart"}


def press(model: Model, key: str) -> Quit | Act | None:
    """Change the model as the key says; what else is to be done."""
    if model.filtering:
        _type(model, key)
        return None
    if key in ("q", "Q"):
        return Quit()
    if key in ACTIONS:
        return _act(model, ACTIONS[key])
    if key in ("f", "enter") or (key == "escape" and model.following):
        model.following = not model.following and model.selection() is not None
    elif not model.following:
        _look(model, key)
    return None


def _act(model: Model, verb: str) -> Act | None:
    one = model.selection()
    return Act(verb, one.name) if one else None


def _look(model: Model, key: str) -> None:
    if key == "/":
        model.filtering = True
    elif key == "escape":
        model.filter = ""
    elif key == "s":
        model.sort = SORTS[(SORTS.index(model.sort) + 1) % len(SORTS)]
        model.message = f"sorted by {model.sort}"
    else:
        _move(model, key)


def _move(model: Model, key: str) -> None:
    shown = [one.id for one in model.visible()]
    selection = model.selection()
    if selection is None:
        return
    at = shown.index(selection.id)
    to = {
        "up": at - 1, "k": at - 1, "down": at + 1, "j": at + 1, "page up": at - model.page,
        "page down": at + model.page, "home": 0, "g": 0, "end": len(shown) - 1, "G": len(shown) - 1,
    }.get(key, at)  # fmt: skip
    model.selected = shown[max(0, min(to, len(shown) - 1))]


def _type(model: Model, key: str) -> None:
    if key == "enter":
        model.filtering = False
    elif key == "escape":
        model.filtering, model.filter = False, ""
    elif key == "backspace":
        model.filter = model.filter[:-1]
    elif len(key) == 1 and key.isprintable():
        model.filter += key
