"""What is to be done about a process: a pure function of what is wanted, what was seen, and the time."""

from sentinel.model import Desired, Exit, Record, Restart
from sentinel.plain import dataclass

QUICK = 1.0  # seconds: a process that ended sooner died quickly, and its restart waits
SETTLED = 10.0  # seconds of uptime after which max_restarts counts anew
DEFAULT_DELAY = 0.1
LONGEST_DELAY = 30.0
OURS = ("health", "memory")  # reasons for which sentinel itself stops what is then restarted


@dataclass(frozen=True, slots=True)
class Nothing:
    """It is as wanted."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start it; `automatic`: nobody asked, it ended by itself."""

    automatic: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop what runs; `reason` goes into its exit record."""

    reason: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Nothing yet: its back-off ends then."""

    at: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It was restarted as often as it may be."""


Action = Nothing | Start | Stop | WakeAt | GiveUp


def decide(record: Record, alive: bool, now: float, *, engine_restarts: bool = False) -> Action:
    """The one step that brings a process nearer to what is wanted.

    `engine_restarts`: the engine restarts what ended by itself (systemd). Ours is only what it lost, what
    sentinel has stopped itself for its health, and what could not be started, which the engine knows nothing of.
    """
    runtime = record.runtime
    if record.desired is Desired.STOPPED:
        return Stop("stop") if alive else Nothing()
    if runtime.run < record.wanted_run:
        return Stop("restart") if alive else Start(automatic=False)
    if alive or runtime.gave_up or not ends_in_restart(record):
        return Nothing()
    if engine_restarts and not waits_for_us(record):
        return Start(automatic=True) if _engine_lost(runtime.last_exit) else Nothing()
    limit = record.spec.restart.max_restarts
    if limit is not None and runtime.failures >= limit:
        return GiveUp()
    due = restart_due(record)
    return Start(automatic=True) if now >= due or _was_stepped_back(record, now) else WakeAt(due)


def waits_for_us(record: Record) -> bool:
    """Whether no engine knows that it is to be started again: it could not be."""
    last = record.runtime.last_exit
    return last is not None and last.never_ran and ends_in_restart(record)


def _was_stepped_back(record: Record, now: float) -> bool:
    """Whether the wall clock is before the end it would wait from: it may never get there."""
    last = record.runtime.last_exit
    return last is not None and last.at is not None and now < last.at - 1.0


def _engine_lost(last: Exit | None) -> bool:
    """Whether the engine does not know that this was to be restarted."""
    return last is not None and (last.reason in OURS or not (last.known or last.reason))


def ends_in_restart(record: Record) -> bool:
    """Whether the policy restarts it after the end that was last seen."""
    mode = record.spec.restart.mode
    last = record.runtime.last_exit
    if last is not None and last.run == record.runtime.run and last.reason in OURS:
        return mode is not Restart.NO
    if mode is Restart.ON_FAILURE:
        return last is None or not last.clean
    return mode is Restart.ALWAYS


def restart_due(record: Record) -> float:
    """When it may be started again, in seconds since the epoch. At once after a run of a second or more."""
    last = record.runtime.last_exit
    if last is None or last.at is None:
        return 0.0
    return last.at + back_off(record.runtime.quick_deaths, record.spec.restart.delay)


def back_off(quick_deaths: int, delay: float | None) -> float:
    """Seconds to wait after so many quick deaths in a row: doubled each time, up to 30 s (or the delay itself)."""
    if quick_deaths <= 0:
        return 0.0
    first = DEFAULT_DELAY if delay is None else delay
    return min(first * 2.0 ** min(quick_deaths - 1, 32), max(LONGEST_DELAY, first))
