"""What is left of the processes, their exit statuses and their output when the supervisor is SIGKILLed."""

import contextlib
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from install import say
from lab import BenchError, Stamp, alive, end, parent, wait_for
from measures import Bench, end_one
from tools import Tool

ENDS = """#!/bin/sh
echo "$2 $$" > "$1"
while [ ! -e "$3" ]; do sleep 0.05; done
exit 7
"""

COUNTS = """\
import os, sys, time
fifo, notes = sys.argv[1:]
with open(fifo, "w") as pipe:
    pipe.write(f"counts {os.getpid()}\\n")
number = 0
with open(notes, "a") as file:
    while True:
        number += 1
        file.write(f"{number}\\n")  # what it meant to say, before it says it
        file.flush()
        os.write(1, b"%d\\n" % number)
        time.sleep(0.01)
"""


@dataclass(slots=True)
class Scene:
    """Three processes: one that stays, one that ends with 7 when told, one that writes numbers."""

    tool: Tool
    trigger: Path
    notes: Path
    stay: Stamp
    ends: Stamp
    counts: Stamp
    later: list[Stamp] = field(default_factory=list)

    def listen(self, seconds: float) -> None:
        """Hear what is started from now on."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(BenchError):
            while True:
                self.later.append(self.tool.stamps.next(max(0.0, deadline - time.monotonic())))

    def copies(self, first: Stamp) -> int:
        return sum(alive(stamp.pid) for stamp in (first, *self.later) if stamp.word == first.word)


def prepare(bench: Bench, tool: Tool, label: str) -> Scene:
    tool.stamps.forget()
    place = tool.home / f"fault-{label}"
    place.mkdir()
    script, counter = place / "ends", place / "counts.py"
    script.write_text(ENDS)
    script.chmod(0o755)
    counter.write_text(COUNTS)
    fifo, trigger, notes = str(tool.stamps.path), place / "trigger", place / "notes"
    tool.run(f"stay-{label}", tool.stamped("stay"))
    stay = tool.stamps.next()
    tool.run_once(f"ends-{label}", [str(script), fifo, "ends", str(trigger)])
    ends = tool.stamps.next()
    tool.run_once(f"counts-{label}", [sys.executable, "-I", "-S", str(counter), fifo, str(notes)])
    counts = tool.stamps.next()
    return Scene(tool, trigger, notes, stay, ends, counts)


def kill_and_look(bench: Bench, tool: Tool, label: str, column: str) -> None:
    scene = prepare(bench, tool, label)
    targets = [tool.main_pid()]
    keeper = parent(scene.stay.pid)
    if label == "keeper" and keeper is not None:
        targets.append(keeper)
    time.sleep(1.0)
    end(targets)
    scene.listen(1.0)  # some have somebody who starts them again
    survived = sum(alive(stamp.pid) for stamp in (scene.stay, scene.ends, scene.counts))
    bench.results.say("survived", column, f"{survived} of 3")
    scene.trigger.touch()
    with contextlib.suppress(BenchError):
        wait_for(lambda: not alive(scene.ends.pid), "the end of one")
    if not alive(targets[0]):
        with contextlib.suppress(BenchError):
            tool.up()
    scene.listen(4.0)
    judge(bench, scene, label, column)


def judge(bench: Bench, scene: Scene, label: str, column: str) -> None:
    tool, say_that = scene.tool, bench.results.say
    say_that("copies", column, str(scene.copies(scene.stay)))
    with contextlib.suppress(BenchError, OSError, ValueError, KeyError, StopIteration):
        known = tool.exit_code(f"ends-{label}")
        again = any(stamp.word == "ends" for stamp in scene.later)
        say_that("status kept", column, "no: it ran again" if again else "yes" if known == 7 else "no")
    end_one_if(scene.counts)
    lost = lost_lines(scene, label)
    say_that("lines lost", column, "?" if lost is None else str(lost))
    before = len(scene.later)
    end_one_if(scene.stay)
    scene.listen(4.0)
    again = any(stamp.word == "stay" and alive(stamp.pid) for stamp in scene.later[before:])
    say_that("restarted again", column, "yes" if again else "no")
    end([stamp.pid for stamp in (scene.stay, scene.ends, scene.counts, *scene.later) if alive(stamp.pid)])


def end_one_if(stamp: Stamp) -> None:
    if alive(stamp.pid):
        end_one(stamp.pid)


def lost_lines(scene: Scene, label: str) -> int | None:
    try:
        logged = set(scene.tool.log(f"counts-{label}").read_text().split())
    except (BenchError, OSError, NotImplementedError, StopIteration):
        return None
    # The last one may be cut short by the SIGKILL that ended the writer.
    meant = scene.notes.read_text().split()[:-1]
    return sum(number not in logged for number in meant)


def faults(bench: Bench) -> None:
    say("  SIGKILL of each supervisor")
    for tool in (tool for tool in bench.tools if tool.runs_once):
        labels = ("daemon", "keeper") if tool.name == "sentinel" else ("main",)
        for label in labels:
            column = f"sentinel, {label} killed" if tool.name == "sentinel" else tool.name
            column = "sentinel, daemon and keeper killed" if label == "keeper" else column
            with bench.problem(tool, "SIGKILL of the supervisor"):
                kill_and_look(bench, tool, label, column)
