"""JournalLog: the output of a process as the journal keeps it, read through journalctl."""

from collections.abc import Iterator, Sequence

from sentinel.backends.base import LogLine


def newest_cursor() -> str | None:
    """Where the journal ends now; None: it is empty or can't be read."""
    raise NotImplementedError


class JournalLog:
    """LogSource over the lines of one identifier and uid, and of the unit. Makes no process before it is asked."""

    def __init__(
        self, identifier: str, uid: int, scope: str, unit: str, cursor: str | None = None,
        cleared_at: float | None = None,
    ) -> None:
        raise NotImplementedError

    cursor: str | None  # after clear(): what to keep in the record
    cleared_at: float | None

    def tail(self, lines: int, streams: Sequence[str], since: float | None = None) -> Iterator[LogLine]:
        raise NotImplementedError

    def follow(self, streams: Sequence[str]) -> Iterator[LogLine | None]:
        raise NotImplementedError

    def tail_and_follow(
        self, lines: int, streams: Sequence[str], since: float | None = None
    ) -> Iterator[LogLine | None]:
        raise NotImplementedError

    def clear(self) -> None:
        """Remember where the journal ends, in `cursor` and `cleared_at`; the caller keeps them in the record."""
        raise NotImplementedError

    def suppressed(self, since: float | None = None) -> int:
        """How many lines journald dropped, as far as we may know."""
        raise NotImplementedError
