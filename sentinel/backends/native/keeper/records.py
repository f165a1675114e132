"""What the keeper writes down: how each run ended, and a journal from which the next keeper can go on."""

from __future__ import annotations

import os

from sentinel import identity

from .wire import encode

COMPACT = 64 << 10  # bytes of the journal beyond which ended runs are dropped from it


def write_exit(directory: str, record: Message) -> bool:
    """Write an exit record so that it is there whole or not at all. False: it can't be written now.

    No fsync: a restart waits for this, and a machine that crashes takes its processes along anyway.
    """
    name = f"{record['id']}.{record['run']}"
    temporary = f"{directory}/.{name}.tmp"
    try:
        try:
            _write(temporary, encode(record))
        except FileNotFoundError:
            os.mkdir(directory, 0o700)
            _write(temporary, encode(record))
        os.rename(temporary, f"{directory}/{name}.json")
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        return False
    return True


def has_exit(directory: str, id: int, run: int) -> bool:
    return os.path.exists(f"{directory}/{id}.{run}.json")


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        data = text.encode("ascii")
        if os.write(fd, data) != len(data):
            raise OSError(28, os.strerror(28))  # a full disk takes what still fits
    finally:
        os.close(fd)


class Journal:
    """Which runs began and ended: a line each, appended.

    A forked child writes its own line before it executes its program; before a posix_spawn the attempt is noted.
    So a keeper that is killed at any moment leaves no process that the next keeper does not find.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._size = 0
        self._fd = -1

    def open(self, lines: list[str]) -> None:
        """Begin anew with these lines (those of what runs)."""
        temporary = self.path + ".tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
        text = "".join([f"boot {identity.boot_id()}\n", *lines])
        os.write(fd, text.encode("ascii"))
        os.rename(temporary, self.path)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._size = len(text)

    def began(self, line: str) -> None:
        """It is about to execute its program (told by the child), or has."""
        self._note(line)

    def trying(self, id: int, run: int, started_at: float, stop_timeout: float) -> None:
        """Before a spawn whose child can't write for itself: should we die in it, the marker has to be looked for."""
        self._note(f"try {id} {run} {started_at!r} {stop_timeout!r}\n")

    def ended(self, id: int, run: int) -> None:
        self._note(f"end {id} {run}\n")
        self._size += 200  # about what this run's two lines take

    def _note(self, line: str) -> None:
        """A full disk does not keep a process from running."""
        try:
            os.write(self._fd, line.encode("ascii"))
        except OSError:
            pass

    @property
    def is_long(self) -> bool:
        return self._size > COMPACT

    def remove(self) -> None:
        """Nothing runs: there is nothing to go on from."""
        try:
            os.unlink(self.path)
        except OSError:
            pass


def began_line(id: int, run: int, pid: int, start: float, started_at: float, stop_timeout: float) -> str:
    return f"run {id} {run} {pid} {start!r} {started_at!r} {stop_timeout!r}\n"


def read_journal(path: str) -> list[tuple[int, int, int, float, float, float]]:
    """What a former keeper ran in this boot and did not see end.

    Each is (id, run, pid, start, started_at, stop_timeout); pid is 0 where only its marker can tell.
    """
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    if not lines or lines[0] != f"boot {identity.boot_id()}":
        return []
    runs = {}
    for line in lines[1:]:
        word, *fields = line.split(" ")
        try:
            if word == "run":
                id, run, pid = int(fields[0]), int(fields[1]), int(fields[2])
                if identity.sane(pid):
                    runs[id, run] = (id, run, pid, float(fields[3]), float(fields[4]), float(fields[5]))
            elif word == "try":
                id, run = int(fields[0]), int(fields[1])
                runs[id, run] = (id, run, 0, 0.0, float(fields[2]), float(fields[3]))
            elif word == "end":
                runs.pop((int(fields[0]), int(fields[1])), None)
        except (ValueError, IndexError):
            continue  # torn by a full disk
    return list(runs.values())


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .wire import Message
