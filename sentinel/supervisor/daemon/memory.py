"""--memory-max on the native engine: a tree that passes its limit is restarted."""

import time
from collections.abc import Callable

from sentinel.model import Desired, State
from sentinel.supervisor.context import Context

INTERVAL = 2.0  # seconds between two looks, while anything has a limit


class MemoryWatch:
    """Looks at the resident memory of the trees that have a limit; nothing wakes up where none has."""

    def __init__(self, context: Context, help: Callable[[str, list[int]], None]) -> None:
        self._context = context
        self._help = help
        self._limits: dict[int, int] = {}
        self._due: float | None = None

    def update(self, state: State) -> None:
        """Take in which processes have limits and run."""
        self._limits = {
            r.id: r.spec.limits.memory_max
            for r in state.processes.values()
            if r.backend == "native"
            and r.spec.limits.memory_max is not None
            and r.desired is Desired.RUNNING
            and r.runtime.pid is not None
        }
        if not self._limits:
            self._due = None
        elif self._due is None:
            self._due = time.monotonic() + INTERVAL

    def wait(self) -> float | None:
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def round(self) -> None:
        """Restart what is over its limit."""
        if self._due is None or time.monotonic() < self._due:
            return
        from sentinel.usage import sample

        self._due = time.monotonic() + INTERVAL
        state = self._context.store.read(cached=True)
        records = [state.processes[i] for i in self._limits if i in state.processes]
        used = sample(self._context.engine("native").pids(records))
        over = [i for i, limit in self._limits.items() if i in used and used[i][1] > limit]
        if over:
            self._help("memory", over)
