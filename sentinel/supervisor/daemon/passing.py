"""What systemd is in the middle of: a hook tells of an end; what comes of that we look for ourselves, for a while."""

import time
from collections.abc import Iterable, Mapping

from sentinel.backends.base import Seen

SOONEST = 0.02  # seconds until the next look; then as long again as it has lasted so far
LATEST = 0.5
PATIENCE = 3.0  # seconds after which nothing is expected any more: a later change is told by a hook of the unit


class Passing:
    """Processes whose state was one that passes, and when to look at them again."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._next: float | None = None

    def told(self, ids: Iterable[int]) -> None:
        """Something happened to these: what was seen of them before counts no more."""
        for id in ids:
            self._since.pop(id, None)

    def saw(self, seen: Mapping[int, Seen]) -> None:
        """Take in a look at some of them, or all."""
        now = time.monotonic()
        for id, one in seen.items():
            if one.passing:
                self._since.setdefault(id, now)
            else:
                self._since.pop(id, None)
        waits = [min(max(now - since, SOONEST), LATEST) for since in self._since.values() if now - since < PATIENCE]
        self._next = now + min(waits) if waits else None

    def due(self) -> set[int]:
        """Those to look at now."""
        now = time.monotonic()
        if self._next is None or now < self._next:
            return set()
        self._next = None
        return {id for id, since in self._since.items() if now - since < PATIENCE}

    def wait(self) -> float | None:
        """Seconds until the next look."""
        return None if self._next is None else max(0.0, self._next - time.monotonic())
