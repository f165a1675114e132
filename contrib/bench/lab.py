"""The ground of a benchmark: a private directory, small programs, their stamps, and what /proc says."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60.0  # seconds before anything is given up: far more than any tool needs

STAMP = """#!/bin/sh
# Tells that it runs, and is then a process like any other.
echo "$2 $$" > "$1"
exec sleep 1000000
"""

WRITER = """\
import mmap, os, sys, time
fifo, source = sys.argv[1:]
with open(source, "rb") as file:
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
def tell(word):
    with open(fifo, "w") as pipe:
        pipe.write(f"{word} {os.getpid()} {time.monotonic()}\\n")
tell("begin")
for at in range(0, len(data), 65536):
    block = data[at:at + 65536]
    while block:
        block = block[os.write(1, block):]
tell("end")
"""

LINE = 100  # bytes of a line in the log benchmark, its newline included


class BenchError(Exception):
    """A tool did not do what the benchmark needs of it."""


@dataclass(slots=True)
class Stamp:
    word: str
    pid: int
    at: float  # time.monotonic() at which it was read, or that it told itself


class Stamps:
    """What the programs of one tool say through a FIFO, with the moment at which it was heard."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._buffer = b""
        self._ready: list[Stamp] = []

    def next(self, timeout: float = PATIENCE) -> Stamp:
        deadline = time.monotonic() + timeout
        while not self._ready:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                raise BenchError(f"nothing started within {timeout:.0f} s")
            at = time.monotonic()
            self._buffer += os.read(self._fd, 65536)
            *lines, self._buffer = self._buffer.split(b"\n")
            for line in lines:
                word, pid, *told = line.decode().split()
                self._ready.append(Stamp(word, int(pid), float(told[0]) if told else at))
        return self._ready.pop(0)

    def take(self, count: int) -> list[Stamp]:
        return [self.next() for _ in range(count)]

    def forget(self) -> None:
        """Drop what was said up to now."""
        self._ready.clear()
        self._buffer = b""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._fd, 65536):
                pass

    def close(self) -> None:
        os.close(self._fd)


class Lab:
    """One temporary directory for all tools of a run; nothing of it is left when it is closed."""

    def __init__(self, directory: str | None = None) -> None:
        # Short, since Unix sockets below it have a limit.
        self.root = Path(tempfile.mkdtemp(prefix="sb-", dir=directory)).resolve()
        self.stamp = self.root / "stamp"
        self.stamp.write_text(STAMP)
        self.stamp.chmod(0o755)
        self.writer = self.root / "writer.py"
        self.writer.write_text(WRITER)

    def lines(self, size: int) -> Path:
        """A file of numbered lines, `size` bytes or a little less."""
        path = self.root / f"lines-{size}"
        if not path.exists():
            with path.open("wb") as file:
                for number in range(size // LINE):
                    file.write(b"%010d %s\n" % (number, b"x" * (LINE - 12)))
        return path

    def close(self) -> None:
        end(mentioning(self.root))
        shutil.rmtree(self.root, ignore_errors=True)


def call(argv: Sequence[str], env: Mapping[str, str], cwd: Path, *, check: bool = True) -> str:
    """The output of a command; BenchError with all that it said if it fails."""
    done = subprocess.run(
        argv,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
    )
    if check and done.returncode != 0:
        raise BenchError(f"{' '.join(argv)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def on_terminal(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> str:
    """The same, with a terminal of 120 columns as its output."""
    import fcntl
    import pty
    import struct
    import termios

    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
    process = subprocess.Popen(
        argv,
        env={**env, "TERM": "xterm-256color"},
        cwd=cwd,
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    output = bytearray()
    with contextlib.suppress(OSError):  # EIO: the last writer has closed it
        while block := os.read(outer, 65536):
            output += block
    os.close(outer)
    if process.wait() != 0:
        raise BenchError(
            f"{' '.join(argv)} exited with {process.returncode}:\n{output.decode(errors='replace')}"
        )
    return output.decode(errors="replace")


def wait_for(condition: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"{what} did not happen within {within:.0f} s")
        time.sleep(0.002)


# --- /proc ----------------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


def pss(pids: Sequence[int]) -> int:
    """Bytes of memory, shared pages divided among those who share them."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


@dataclass(frozen=True, slots=True)
class Effort:
    """What some processes have done since they began."""

    cpu: float  # seconds
    wakeups: int

    def __sub__(self, other: "Effort") -> "Effort":
        return Effort(self.cpu - other.cpu, self.wakeups - other.wakeups)


def effort(pids: Sequence[int]) -> Effort:
    """CPU time to the nanosecond (stat counts ticks of 10 ms), and how often a thread slept and woke."""
    cpu = wakeups = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread that ended meanwhile
                cpu += int((task / "schedstat").read_text().split()[0])
                for line in (task / "status").read_text().splitlines():
                    if line.startswith("voluntary_ctxt_switches:"):
                        wakeups += int(line.split()[1])
    return Effort(cpu / 1e9, wakeups)


def command_lines() -> Iterator[tuple[int, list[str]]]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                yield int(entry), [os.fsdecode(word) for word in words if word]


def mentioning(root: Path) -> list[int]:
    """Processes whose command line or environment names the directory: those that a benchmark left."""
    needle = os.fsencode(root)
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            for file in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    if needle in Path(f"/proc/{entry}/{file}").read_bytes():
                        found.append(int(entry))
                        break
    return found


def end(pids: Sequence[int]) -> None:
    """SIGKILL, and wait until they are gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
