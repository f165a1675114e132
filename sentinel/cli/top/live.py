"""`top` while it runs: a thread looks again and again, this one draws and takes keys; neither waits for the other."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from sentinel.cli.output import Output
from sentinel.cli.top.actions import begin
from sentinel.cli.top.keys import Act, Quit, press
from sentinel.cli.top.model import Model, Snapshot
from sentinel.cli.top.render import Style, render
from sentinel.cli.top.terminal import Terminal
from sentinel.errors import SentinelError

if TYPE_CHECKING:
    from sentinel.supervisor.facade import Supervisor

INTERVAL = 1.0  # seconds between two looks at everything
FOLLOW_INTERVAL = 0.25  # and at the log alone while it fills the screen
MOST_LINES = 200


def live(supervisor: "Supervisor", out: Output, style: Style) -> int:
    """Until q or Ctrl-C."""
    model, terminal = Model(), Terminal(out)
    looker = Looker(supervisor, model, terminal.wake)
    try:
        with terminal.taken():
            looker.start()
            while True:
                _take_in(model, looker)
                terminal.draw(render(model, *terminal.size(), style))
                for key in terminal.read():
                    if key == "gone":
                        return 0
                    if key == "redraw":
                        terminal.redraw()
                    elif _pressed(model, key, looker):
                        return 0
    except KeyboardInterrupt:
        return 0
    finally:
        looker.end()


def _take_in(model: Model, looker: "Looker") -> None:
    while looker.found:
        found = looker.found.popleft()
        if isinstance(found, Snapshot):
            model.update(found)
        elif isinstance(found, str):
            model.message = found
        elif isinstance(found, SentinelError):
            model.trouble = str(found)
        else:
            raise found


def _pressed(model: Model, key: str, looker: "Looker") -> bool:
    """Whether this was the last one."""
    before = model.selection()
    model.message = ""
    wanted = press(model, key)
    if isinstance(wanted, Act):
        model.message = begin(wanted.verb, wanted.name, looker.say)
    if model.selection() is not before or model.following:
        looker.poke()
    return isinstance(wanted, Quit)


class Looker:
    """Looks at the processes, and reads what the selected one wrote. `found`: snapshots, messages, a failure of ours.

    It alone uses the supervisor: claims are a process's, not a thread's.
    """

    def __init__(self, supervisor: "Supervisor", model: Model, wake: Callable[[], None]) -> None:
        self.found: deque[Snapshot | str | BaseException] = deque()
        self._supervisor = supervisor
        self._model = model
        self._wake = wake
        self._poked = threading.Event()
        self._ended = False
        self._due = 0.0  # monotonic: the next look at everything
        self._names: dict[int, str] = {}

    def start(self) -> None:
        threading.Thread(target=self._run, name="looker", daemon=True).start()

    def poke(self) -> None:
        """Something else is selected: read its log now."""
        self._poked.set()

    def say(self, message: str) -> None:
        """Something that was begun is over: look now."""
        self.found.append(message)
        self._due = 0.0
        self._poked.set()
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._poked.set()

    def _run(self) -> None:
        while not self._ended:
            try:
                self.found.append(self._look())
            except SentinelError as error:
                self.found.append(error)
            except BaseException as error:  # a bug of ours: raised where the terminal is put right
                self.found.append(error)
                self._ended = True
            self._wake()
            wait = max(0.0, self._due - time.monotonic())
            self._poked.wait(min(wait, FOLLOW_INTERVAL) if self._model.following else wait)
            self._poked.clear()

    def _look(self) -> Snapshot:
        seen = Snapshot()
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + INTERVAL
            seen.listing = self._supervisor.list()
            seen.daemon = self._supervisor.daemon_status().running
            self._names = {one.id: one.name for one in seen.listing.processes}
        selection = self._model.selection()
        id = selection.id if selection and selection.id in self._names else next(iter(self._names), None)
        if id is not None:
            seen.log_of, seen.log = id, self._read_log(self._names[id])
        return seen

    def _read_log(self, name: str) -> list[tuple[str, str]]:
        from sentinel.logs.printing import safe

        try:
            lines = list(self._supervisor.log_tail(name, MOST_LINES, ("stdout", "stderr"), None))
        except SentinelError as error:
            return [("stderr", str(error))]
        return [(line.stream, safe(line.data[:4000], colour=False).expandtabs()) for line in lines]
