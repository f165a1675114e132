"""What we noted of the latest start of each process: systemd forgets a unit that has ended."""

import json
import os
from pathlib import Path

from sentinel.backends.systemd import exits, naming
from sentinel.backends.systemd.unit import Place
from sentinel.files import read_small
from sentinel.model import Record
from sentinel.paths import Home
from sentinel.plain import asdict, dataclass


@dataclass(slots=True)
class Note:
    """One start. `pending`: whoever starts it has not yet said that it is done; `at`: when this was written."""

    unit: str
    run: int
    boot: str
    manager: str  # which life of the service manager
    at: float
    notify: bool = False
    mode: str = "no"  # restart policy
    max_restarts: int | None = None
    stop: str = ""  # why sentinel stopped it; "": it did not
    pending: bool = True


class Notebook:
    """The notes of one home, and where the other files of a unit are."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._directory = home.run / "units"

    def place(self, record: Record) -> Place:
        return Place(
            unit=self.unit(record),
            slice=naming.slice_name(record.spec.group, self.home) if record.spec.group else naming.ROOT_SLICE,
            identifier=naming.identifier(record.name, self.home),
            env=self._directory / f"{record.id}.env",
            script=self._directory / f"{record.id}.sh",
            hooks=self.hooks(record),
        )

    def hooks(self, record: Record) -> exits.Files:
        """Where its hooks write."""
        return exits.Files(self.home, record.id)

    def unit(self, record: Record) -> str:
        """The unit that it has, else the one that it will get."""
        return record.unit or naming.unit_name(record.name, self.home)

    def read(self, id: int) -> Note | None:
        try:
            found = json.loads(read_small(f"{self._directory}/{id}.json"))
        except (OSError, ValueError):
            return None
        try:
            return Note(**{key: value for key, value in found.items() if key in Note.__match_args__})
        except (TypeError, AttributeError):
            return None

    def write(self, id: int, note: Note) -> None:
        write_private(self._path(id), json.dumps(asdict(note)).encode())

    def acknowledged(self, id: int) -> tuple[int, int]:
        """Run and number of its ends that are saved elsewhere."""
        try:
            run, ends = read_small(f"{self._directory}/{id}.ack").split()
            return int(run), int(ends)
        except (OSError, ValueError):
            return 0, 0

    def acknowledge(self, id: int, run: int, ends: int) -> None:
        if (run, ends) > self.acknowledged(id):
            write_private(self._ack(id), f"{run} {ends}\n".encode())

    def remove(self, record: Record) -> None:
        place = self.place(record)
        for path in (self._path(record.id), self._ack(record.id), place.env, place.script):
            path.unlink(missing_ok=True)
        exits.remove(place.hooks)

    def prepare(self) -> None:
        self.home.prepare()
        self._directory.mkdir(mode=0o700, exist_ok=True)

    def _path(self, id: int) -> Path:
        return self._directory / f"{id}.json"

    def _ack(self, id: int) -> Path:
        return self._directory / f"{id}.ack"


def write_private(path: Path, data: bytes) -> None:
    """Replace the file as a whole; nobody else can read it at any moment."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
    fresh.replace(path)


def touch_private(path: str) -> None:
    """Make an output file before systemd does, which would let others read it."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
