"""How a run ended, kept by small shell hooks of the unit: they need no Python, and outlive unit and sentinel.

systemd forgets a transient unit as soon as it ends well, so ExecStopPost= writes one line of fixed width,
over itself each time. The same line holds what back-off and --max-restarts count, and ExecCondition= waits
or gives up by it before a restart. A line has its number of ends in front and at its end: a torn one is read
again.
"""

import os
import time
from pathlib import Path

from sentinel.model import Exit, RestartPolicy
from sentinel.paths import Home
from sentinel.plain import dataclass

DEFAULT_DELAY = 0.1
LONGEST_DELAY = 30.0

_FORMAT = "%10d %10d %10d %-32s %-16s %-8s %-10s %10d\\n"

# Tell the daemon, if one reads its fifo $fifo. It must not wait here, neither for a reader nor for room in the pipe:
# that takes dd.
_POKE = """umask 077
PATH=/usr/bin:/bin:$PATH
poke() {
  [ ! -p "$fifo" ] || dd of="$fifo" oflag=nonblock conv=nocreat,notrunc status=none 2>/dev/null <<END || :
$id
END
}"""

# $1 the record, $2 the file that says when the run began (absent: a run that never began is no end), $3 and $4: whom
# to tell what
_ENDED = f"""{_POKE}
fifo=$3 id=$4
trap poke EXIT
read -r ends fails quick rest <"$1" || exit 0
if [ -n "$2" ]; then
  since=; read -r since rest <"$2"; [ -n "$since" ] || exit 0
  echo >"$2"
  read -r now rest </proc/uptime
  up=$((${{now%.*}}${{now#*.}} - ${{since%.*}}${{since#*.}}))
  [ "$up" -lt 1000 ] || fails=0
  fails=$((fails + 1))
  if [ "$up" -lt 100 ]; then quick=$((quick + 1)); else quick=0; fi
fi
ends=$((ends + 1))
printf '{_FORMAT}' "$ends" "$fails" "$quick" "${{INVOCATION_ID:--}}" "${{SERVICE_RESULT:--}}" \
"${{EXIT_CODE:--}}" "${{EXIT_STATUS:--}}" "$ends" 1<>"$1"
exit 0"""

# $1 the record, $2 when the run began, $3 and $4 as above, $5 most restarts or "", then the delays of quick deaths in
# a row
_BEGINS = f"""{_POKE}
if read -r ends fails quick rest <"$1"; then
  if [ "$ends" -gt 0 ] && [ -n "$5" ] && [ "$fails" -gt "$5" ]; then exit 1; fi
  up=$2 fifo=$3 id=$4; shift 5
  if [ "$ends" -gt 0 ] && [ "$quick" -gt 0 ] && [ $# -gt 0 ]; then
    [ "$quick" -le $# ] || quick=$#
    shift $((quick - 1)); sleep "$1"
    poke
  fi
  read -r now rest </proc/uptime
  echo "$now" >"$up"
fi
exit 0"""

# $1 a mark: this invocation was asked to stop while it ran. systemd runs this too when it ended by itself.
_STOPPING = """umask 077
[ -z "$MAINPID" ] || echo "$INVOCATION_ID" >"$1"
exit 0"""


@dataclass(frozen=True, slots=True)
class Ends:
    """The record: how many ends there were since the start, and the last of them."""

    ends: int
    fails: int
    invocation: str
    result: str  # SERVICE_RESULT of systemd.exec(5)
    code: str  # "exited", "killed", "dumped"
    status: str  # a number, or the name of a signal
    at: float

    def exit(self, run: int, reason: str) -> Exit:
        if self.result == "oom-kill":
            reason = "oom"
        end = Exit(run, at=self.at, reason=reason, number=self.ends)
        if self.code == "exited" and self.status.isdigit():
            end.code = int(self.status)
        elif self.code in ("killed", "dumped"):
            end.signal = signal_number(self.status)
        return end


@dataclass(frozen=True, slots=True)
class Files:
    """Where the hooks of one process write, and the fifo of the daemon that they tell of it.

    Made for each process at each look: a path is built only when it is asked for.
    """

    home: Home
    id: int

    @property
    def record(self) -> Path:
        return self.home.exits / f"{self.id}.ends"

    @property
    def since(self) -> Path:
        return self.home.exits / f"{self.id}.since"

    @property
    def mark(self) -> Path:
        return self.home.exits / f"{self.id}.asked"

    @property
    def fifo(self) -> Path:
        return self.home.daemon_fifo

    def all(self) -> tuple[Path, ...]:
        return self.record, self.since, self.mark


def signal_number(name: str) -> int | None:
    import signal

    if name.isdigit():
        return int(name)
    if name.startswith("RTMIN+") and name[6:].isdigit():
        return signal.SIGRTMIN + int(name[6:])
    try:
        return int(signal.Signals["SIG" + name])
    except KeyError:
        return None


def reset(where: Files) -> None:
    """Nothing has ended yet: before each start."""
    where.mark.unlink(missing_ok=True)
    where.since.unlink(missing_ok=True)
    _write(where, (0, 0, 0, "-", "-", "-", "-", 0))


def add(where: Files, code: int, status: int) -> None:
    """An end that the hook could not write, as `code` (CLD_EXITED, ...) and `status` of waitid(2) tell it."""
    import signal

    known = read(where)
    ends, fails = (known.ends + 1, known.fails) if known else (1, 0)
    words = {os.CLD_EXITED: "exited", os.CLD_KILLED: "killed", os.CLD_DUMPED: "dumped"}
    if code not in words:
        return
    named = code != os.CLD_EXITED and status in set(signal.Signals)
    name = signal.Signals(status).name.removeprefix("SIG") if named else str(status)
    _write(where, (ends, fails, 0, "-", "signal", words[code], name, ends))


def _write(where: Files, fields: tuple[int | str, ...]) -> None:
    line = _FORMAT.replace("\\n", "\n") % fields
    fresh = where.record.with_suffix(".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(line)
    fresh.replace(where.record)


def read(where: Files) -> Ends | None:
    """The record; None where there is none that can be understood."""
    for _ in range(20):
        try:
            fd = os.open(f"{where.home.exits}/{where.id}.ends", os.O_RDONLY | os.O_CLOEXEC)
            try:
                words = os.read(fd, 4096).decode("ascii", "replace").split()
                at = os.fstat(fd).st_mtime
            finally:
                os.close(fd)
        except OSError:
            return None
        if len(words) == 8 and words[0] == words[7] and words[0].isdigit() and words[1].isdigit():
            return Ends(int(words[0]), int(words[1]), words[3], words[4], words[5], words[6], at)
        time.sleep(0.001)  # the hook is writing it
    return None


def was_asked(where: Files, ends: Ends) -> bool:
    """Whether the last end was a stop that somebody asked for."""
    try:
        return where.mark.read_text(encoding="ascii").strip() == ends.invocation
    except (OSError, ValueError):
        return False


def remove(where: Files) -> None:
    for path in where.all():
        path.unlink(missing_ok=True)


def ended_hook(where: Files, counts: bool) -> list[str]:
    """ExecStopPost=."""
    since = str(where.since) if counts else ""
    return ["/bin/sh", "-c", _ENDED, "sentinel-ended", str(where.record), since, *_whom(where)]


def begins_hook(where: Files, policy: RestartPolicy) -> list[str]:
    """ExecCondition=."""
    most = "" if policy.max_restarts is None else str(policy.max_restarts)
    return [
        "/bin/sh",
        "-c",
        _BEGINS,
        "sentinel-begins",
        str(where.record),
        str(where.since),
        *_whom(where),
        most,
        *(f"{delay:.3f}" for delay in delays(policy.delay)),
    ]


def _whom(where: Files) -> tuple[str, str]:
    return str(where.fifo), str(where.id)


def stopping_hook(where: Files) -> list[str]:
    """ExecStop=."""
    return ["/bin/sh", "-c", _STOPPING, "sentinel-stopping", str(where.mark)]


def delays(first: float | None) -> list[float]:
    """What to wait after the first, second, ... quick death in a row: doubled each time, up to 30 s."""
    delay = DEFAULT_DELAY if first is None else first
    if delay <= 0:
        return []
    out = [delay]
    while out[-1] < LONGEST_DELAY:
        out.append(min(out[-1] * 2, LONGEST_DELAY))
    return out
