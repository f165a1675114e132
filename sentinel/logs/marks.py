"""Marks: how far each log of a process had come at some moments, so that `logs --since` knows where to begin."""

from sentinel.paths import Home


def mark(home: Home, name: str, now: float | None = None) -> None:
    """Remember how far both logs have come now. Never fails; cheap; nothing is written if nothing was logged."""
    raise NotImplementedError
