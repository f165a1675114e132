"""CPU and memory of whole process trees."""

from collections.abc import Mapping

from sentinel.paths import Home

Sample = dict[int, tuple[float, int]]  # id -> CPU seconds of the tree up to now, resident bytes


def tree(pid: int) -> list[int]:
    """The process and all its descendants, itself first; empty if it is gone."""
    raise NotImplementedError


def trees(pids: Mapping[int, int]) -> dict[int, list[int]]:
    """`tree` for many at once ({id: main pid}), in one look at the process table."""
    raise NotImplementedError


def sample(pids_by_id: Mapping[int, list[int]]) -> Sample:
    """CPU seconds used and resident bytes now; ids of which nothing is left are missing."""
    raise NotImplementedError


def cpu_percent(before: float, after: float, seconds: float) -> float:
    raise NotImplementedError


class UsageMemory:
    """Keeps the last sample in the home, so that `list` shows the CPU used since the last look."""

    def __init__(self, home: Home) -> None:
        raise NotImplementedError

    def measure(
        self, pids_by_id: Mapping[int, list[int]], *, wait: bool = True
    ) -> dict[int, tuple[float | None, int]]:
        """id -> (CPU percent, resident bytes). `wait`: a short sample (0.1 s for all) for what is not remembered."""
        raise NotImplementedError
