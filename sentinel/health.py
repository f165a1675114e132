"""Health checks: one probe, and a Prober that runs many beside each other for an event loop."""

from collections.abc import Hashable, Mapping

from sentinel.backends.base import Account
from sentinel.model import HealthCheck


def probe(check: HealthCheck, env: Mapping[str, str], cwd: str, account: Account | None) -> tuple[bool, str]:
    """Whether it is healthy, and one short line that says what was seen. Takes at most check.timeout."""
    raise NotImplementedError


class Prober:
    """Runs probes in a bounded number of daemon threads; nothing of it delays the end of the program."""

    def __init__(self, threads: int = 32) -> None:
        raise NotImplementedError

    def fileno(self) -> int:
        """Readable when results wait: for a selector."""
        raise NotImplementedError

    def submit(
        self, key: Hashable, check: HealthCheck, env: Mapping[str, str], cwd: str, account: Account | None
    ) -> bool:
        """Start a probe; False: the one of that key is still running, and no second one was started."""
        raise NotImplementedError

    def results(self) -> list[tuple[Hashable, bool, str]]:
        """What ended since the last call; never blocks."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
