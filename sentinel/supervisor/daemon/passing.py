"""What systemd is in the middle of: a hook tells of an end; what comes of that we look for, ever less often."""

import time
from collections.abc import Container, Iterable, Mapping

from sentinel.backends.base import Seen

SOONEST = 0.02  # seconds until the next look; then as long again as it has lasted so far
LATEST = 5.0


class Passing:
    """Processes whose state was one that passes, and when to look at them again."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._next: float | None = None

    def told(self, ids: Iterable[int]) -> None:
        """Something happened to these: what was seen of them before counts no more."""
        for id in ids:
            self._since.pop(id, None)

    def saw(self, seen: Mapping[int, Seen], known: Container[int]) -> None:
        """Take in a look at some of them, or all. `known`: those that there are."""
        now = time.monotonic()
        self._since = {id: since for id, since in self._since.items() if id in known}
        for id, one in seen.items():
            if one.passing:
                self._since.setdefault(id, now)
            else:
                self._since.pop(id, None)
        waits = [min(max(now - since, SOONEST), LATEST) for since in self._since.values()]
        self._next = now + min(waits) if waits else None

    def due(self) -> set[int]:
        """Those to look at now."""
        if self._next is None or time.monotonic() < self._next:
            return set()
        self._next = None
        return set(self._since)

    def wait(self) -> float | None:
        """Seconds until the next look."""
        return None if self._next is None else max(0.0, self._next - time.monotonic())
