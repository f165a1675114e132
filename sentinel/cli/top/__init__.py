"""top: a live screen of all processes, with keys to act on them."""

import os
from typing import TYPE_CHECKING

from sentinel.cli.call import Call
from sentinel.cli.text import has_colour, is_terminal
from sentinel.errors import UsageError

if TYPE_CHECKING:
    from sentinel.cli.top.render import Style


def top(call: Call) -> int:
    import sys

    if not call.out.on_terminal or not is_terminal(sys.stdin):
        raise UsageError("top needs a terminal", "try: sentinel list")
    from sentinel.cli.top.live import live

    call.stays()
    return live(call.supervisor, call.out, _style(call))


def _style(call: Call) -> "Style":
    from sentinel.cli.top.render import Style

    encoding = (getattr(call.out.out, "encoding", "") or "").lower().replace("-", "")
    return Style(colour=has_colour(call.out.out), bars=encoding == "utf8" and os.environ.get("TERM") != "linux")
