"""Named points at which a test can have this process killed, to see what the next one makes of it.

Nothing happens unless SENTINEL_TEST_STOP_AT names one: NAME, or NAME:3 for the third time that it is reached.
With SENTINEL_TEST_STOP_ONCE only the process that can remove that file is hit: a keeper is started anew with
the same environment. The keeper imports this, so it imports next to nothing.
"""

import os

STOP_AT = os.environ.get("SENTINEL_TEST_STOP_AT", "")
PASSED_ON = ("SENTINEL_TEST_STOP_AT", "SENTINEL_TEST_STOP_ONCE")
SIGKILL = 9
_reached = 0


def reach(name: str) -> None:
    """We are at this point now."""
    if STOP_AT:
        _reach(name)


def _reach(name: str) -> None:
    global _reached
    wanted, _, times = STOP_AT.partition(":")
    if name != wanted:
        return
    _reached += 1
    if _reached >= int(times or 1) and _is_our_turn():
        os.kill(os.getpid(), SIGKILL)


def _is_our_turn() -> bool:
    once = os.environ.get("SENTINEL_TEST_STOP_ONCE")
    if not once:
        return True
    try:
        os.unlink(once)
    except OSError:
        return False
    return True
