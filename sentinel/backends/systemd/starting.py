"""Starting many units: leftovers out of the way, jobs waited for together, what went wrong in words."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from sentinel import identity
from sentinel.backends.base import Launch, Results, Started
from sentinel.backends.systemd import exits, readback
from sentinel.backends.systemd.bus import EXISTS, UNIT, BusError
from sentinel.backends.systemd.manager import JOB_TIMEOUT, Manager, Unit
from sentinel.backends.systemd.notebook import Note, Notebook, touch_private, write_private
from sentinel.backends.systemd.seeing import WAITING, Seeing
from sentinel.backends.systemd.slices import Slices
from sentinel.backends.systemd.unit import (
    Place,
    Rendered,
    refuse_text,
    render,
    setup_failure,
    to_file,
)
from sentinel.errors import BackendError, Conflict, LaunchError, SentinelError
from sentinel.plain import dataclass

_ATTEMPTS = 5
_EXECUTES_WITHIN = 5.0  # seconds that systemd-cat has to become the program
_BEFORE = (b"(", b"/usr/bin/systemd-cat\0", b"/bin/systemd-cat\0", b"/bin/sh\0-s\0", b"env\0")
_READ = ["ExecMainPID", "ExecMainStartTimestamp", "ExecMainCode", "ExecMainStatus", "Result"]


@dataclass(slots=True)
class _Try:
    launch: Launch
    place: Place
    rendered: Rendered
    job: str = ""

    @property
    def id(self) -> int:
        return self.launch.record.id


class Starting:
    """What `start` does, for the units of one home."""

    def __init__(self, manager: Manager, notebook: Notebook, slices: Slices, seeing: Seeing) -> None:
        self._manager = manager
        self._notebook = notebook
        self._slices = slices
        self._seeing = seeing

    def start(self, launches: Sequence[Launch]) -> Results:
        self._notebook.prepare()
        with self._manager.watching():
            return self._start(launches)

    def _start(self, launches: Sequence[Launch]) -> Results:
        results: Results = {}
        inherited, life = self._manager.life()
        tries = self._render(launches, inherited, results)
        for attempt in range(_ATTEMPTS):
            if not tries:
                break
            tries = self._clear(tries, self._manager.units(), results)
            tries = self._submit(tries, life, results)
            if tries:  # systemd had not yet let go of what was there
                time.sleep(0.02 * 2**attempt)
        for one in tries:
            results[one.id] = self._taken(one.place.unit)
            self._notebook.remove(one.launch.record)
        return results

    def _render(self, launches: Sequence[Launch], inherited: frozenset[str], results: Results) -> list[_Try]:
        system = self._manager.reach.scope == "system"
        tries = []
        for launch in launches:
            place = self._notebook.place(launch.record)
            try:
                refuse_text({"SENTINEL_HOME": str(self._notebook.home.root)})
                tries.append(_Try(launch, place, render(launch, place, system=system, inherited=inherited)))
            except SentinelError as error:
                results[launch.record.id] = error
        return tries

    def _clear(self, tries: list[_Try], units: dict[str, Unit], results: Results) -> list[_Try]:
        """Take leftovers away; answer for what already runs. What is left can start."""
        failed, waiting, jobs, free = [], [], [], []
        for one in tries:
            unit = units.get(one.place.unit)
            if unit is not None and unit.load not in ("loaded", "not-found"):
                results[one.id] = Conflict(
                    f"{unit.name} is {unit.load}", f"see 'systemctl {self._manager.flag}status {unit.name}'"
                )
            elif unit is None:
                free.append(one)
            elif unit.ended:
                failed.append(unit.name)
                free.append(one)
            elif unit.job_type == "stop" or unit.active == "deactivating":
                jobs += [unit.job] if unit.job else []
                waiting += [] if unit.job else [unit.name]
                free.append(one)
            elif unit.sub in WAITING:
                waiting.append(unit.name)
                free.append(one)
            else:
                results[one.id] = self._already(one.launch, unit.name)
        self._manager.reset_failed(failed)
        waiting += failed  # one that never started is let go only after a job
        stops = [job for job in self._manager.stop(waiting) if isinstance(job, str)] if waiting else []
        self._wait_for_jobs_of_others(jobs)
        self._manager.wait(stops)
        self._manager.reset_failed(waiting)
        return free

    def _wait_for_jobs_of_others(self, jobs: list[str]) -> None:
        """Theirs may have ended before we listened: so look from time to time whether they are there."""
        deadline = time.monotonic() + 60
        while jobs and time.monotonic() < deadline:
            done = self._manager.wait(jobs, 0.1)
            pending = {unit.job for unit in self._manager.units().values()}
            jobs = [job for job in jobs if job not in done and job in pending]

    def _already(self, launch: Launch, unit: str) -> Started | Conflict:
        if not self._manager.read([unit], ["Transient"], UNIT)[0][0]:
            return self._taken(unit)
        seen = self._seeing.see([launch.record])[launch.record.id]
        return Started(
            pid=seen.pid or 0,
            start_time=seen.start_time or 0.0,
            started_at=seen.started_at or time.time(),
            run=seen.run or launch.run,
            already=True,
        )

    def _taken(self, unit: str) -> Conflict:
        see = f"see 'systemctl {self._manager.flag}status {unit}'"
        left = self._manager.units().get(unit)
        if left is not None and left.active == "deactivating":
            return Conflict(f"{unit} still stops", f"{see}, and try again")
        return Conflict(f"a unit {unit} exists that is not sentinel's", f"{see}, or use another name")

    def _submit(self, tries: list[_Try], life: str, results: Results) -> list[_Try]:
        """Start what can; returned is what must be tried again."""
        self._slices.ensure({group for one in tries if (group := one.launch.record.spec.group)})
        again, going, calls = [], [], []
        for one in tries:
            try:
                self._write(one, life)
            except OSError as error:
                results[one.id] = LaunchError(f"cannot write to {self._notebook.home.root}: {error.strerror}")
                continue
            going.append(one)
            calls.append((one.place.unit, one.rendered.properties))
        made = []
        for one, answer in zip(going, self._manager.start_transient(calls), strict=True):
            if isinstance(answer, BusError):
                if answer.kind == EXISTS:
                    again.append(one)
                else:
                    results[one.id] = LaunchError(f"systemd refuses it: {answer.message}", answer.hint)
                    self._notebook.remove(one.launch.record)
                continue
            one.job = answer
            made.append(one)
        self._settle(made, results)
        return again

    def _write(self, one: _Try, life: str) -> None:
        record = one.launch.record
        for path in (one.place.env, one.place.script):
            path.unlink(missing_ok=True)
        for path, data in one.rendered.files:
            write_private(path, data)
        if to_file(record.spec):
            touch_private(one.launch.stdout)
            touch_private(one.launch.stderr)
        exits.reset(one.place.hooks)
        policy = record.spec.restart
        self._notebook.write(
            record.id,
            Note(
                unit=one.place.unit,
                run=one.launch.run,
                boot=identity.boot_id(),
                manager=life,
                at=time.time(),
                notify=one.launch.notify,
                mode=policy.mode.value,
                max_restarts=policy.max_restarts,
            ),
        )

    def _settle(self, made: list[_Try], results: Results) -> None:
        """Wait until each has executed its program, then say what became of it."""
        ended = dict(self._manager.wait([one.job for one in made if not one.launch.notify]))
        for one in made:
            if one.launch.notify:
                ended[one.job] = self._wait_for_main(one)
        names = [one.place.unit for one in made]
        bad = []
        for one, values in zip(made, self._manager.read(names, _READ), strict=True):
            answer = self._judge(one, ended.get(one.job, ""), *values)
            results[one.id] = answer
            if isinstance(answer, SentinelError):
                bad.append(one)
            else:
                self._confirm(one)
        self._manager.unref(names)
        if bad:
            stops = self._manager.stop([one.place.unit for one in bad])
            self._manager.wait([job for job in stops if isinstance(job, str)])
            self._manager.reset_failed([one.place.unit for one in bad])
            for one in bad:
                self._notebook.remove(one.launch.record)

    def _confirm(self, one: _Try) -> None:
        note = self._notebook.read(one.id)
        if note is not None:
            note.pending, note.at = False, time.time()
            self._notebook.write(one.id, note)

    def _wait_for_main(self, one: _Try) -> str:
        """Its job goes on until it is ready: here it is enough that the program was executed.

        How the job ended, if it did meanwhile.
        """
        deadline = time.monotonic() + JOB_TIMEOUT
        while time.monotonic() < deadline:
            pid = self._manager.read([one.place.unit], ["ExecMainPID"])[0][0]
            if pid and _executes(pid):
                break
            done = self._manager.wait([one.job], 0.005)
            if done:
                return done[one.job]
        return ""

    def _judge(
        self,
        one: _Try,
        job: str,
        pid: int | None,
        at: int | None,
        code: int | None,
        status: int | None,
        result: str | None,
    ) -> Started | SentinelError:
        launch = one.launch
        if not job and not launch.notify:
            return BackendError(
                f"systemd did not start {one.place.unit} in time", f"see 'systemctl {self._manager.flag}list-jobs'"
            )
        ends = None if pid else exits.read(one.place.hooks)
        if ends is not None and ends.ends:  # it ended already, and waits to be restarted
            pid = 0
            code, status = (os.CLD_EXITED, int(ends.status)) if ends.code == "exited" else (None, None)
        elif result == "resources" or not pid:
            return LaunchError(_why(result), f"see 'journalctl {self._manager.flag}-u {one.place.unit}'")
        if code == os.CLD_EXITED and (job == "failed" or launch.notify):
            problem = setup_failure(status or 0, launch)
            if problem:
                return LaunchError(problem, "correct it and start it again")
        if pid:
            _wait_until_executed(pid)
        start = identity.start_time(pid)
        notes = one.rendered.notes + (readback.notes(pid, launch.record.spec.limits) if start is not None else [])
        return Started(
            pid=pid,
            start_time=start or 0.0,
            started_at=at / 1e6 if at else time.time(),
            run=launch.run,
            notes=notes,
        )


def _why(result: str | None) -> str:
    if result == "resources":
        return "systemd could not set it up: it ran out of resources, or a file of it is missing"
    return "systemd did not execute it"


def _executes(pid: int) -> bool:
    """Whether what was forked is more than systemd itself, which names it "(program)" until then."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    return not line.startswith(b"(") and line != b""


def _wait_until_executed(pid: int) -> None:
    """Until neither systemd's child nor systemd-cat nor our shell is left of what becomes the program."""
    deadline = time.monotonic() + _EXECUTES_WITHIN
    while time.monotonic() < deadline:
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return
        if line and not line.startswith(_BEFORE):
            return
        if not line and identity.start_time(pid) is None:  # in the middle of an exec there are no arguments either
            return
        time.sleep(0.001)
