"""FileLog: the output of a process kept in a pair of files that are rotated."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sentinel.backends.base import LogLine


class FileLog:
    """LogSource over the stdout and the stderr file of a process; their backups are beside them."""

    def __init__(self, stdout: Path, stderr: Path) -> None:
        raise NotImplementedError

    def tail(self, lines: int, streams: Sequence[str], since: float | None = None) -> Iterator[LogLine]:
        raise NotImplementedError

    def follow(self, streams: Sequence[str]) -> Iterator[LogLine | None]:
        raise NotImplementedError

    def tail_and_follow(
        self, lines: int, streams: Sequence[str], since: float | None = None
    ) -> Iterator[LogLine | None]:
        raise NotImplementedError

    def clear(self) -> None:
        raise NotImplementedError
