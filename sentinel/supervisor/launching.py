"""From what is wanted to a run: resolve environment, program and user, start, and take in the answer."""

import os
from collections.abc import Sequence

from sentinel import faultpoints
from sentinel.backends.base import Launch, Results, Started
from sentinel.errors import LaunchError, SentinelError
from sentinel.identity import boot_id
from sentinel.model import Record, State
from sentinel.plain import dataclass
from sentinel.supervisor.absorb import failed_start, took_start
from sentinel.supervisor.context import Context


@dataclass(slots=True)
class Launched:
    """The answer to one start, to be applied to the record under the lock."""

    run: int
    automatic: bool
    outcome: Started | SentinelError

    def apply(self, record: Record, now: float) -> None:
        if isinstance(self.outcome, Started):
            took_start(record, self.outcome, boot_id(), automatic=self.automatic)
        else:
            failed_start(record, self.run, self.outcome.message, now, automatic=self.automatic)


def launch(context: Context, state: State, starts: Sequence[tuple[Record, bool]]) -> dict[int, Launched]:
    """Start each of the records; the flag says whether automatically. The caller has claimed them.

    A run's number is one more than the latest, or what a command has asked for.
    """
    answers: dict[int, Launched] = {}
    ready: list[Launch] = []
    for record, automatic in starts:
        run = max(record.runtime.run + 1, record.wanted_run)
        try:
            ready.append(prepare(context, state, record, run))
            answers[record.id] = Launched(run, automatic, LaunchError(f"cannot start {record.name}"))
        except SentinelError as error:
            answers[record.id] = Launched(run, automatic, error)
    faultpoints.reach("launch.starting")
    for i, outcome in _start(context, ready).items():
        answers[i].outcome = outcome
    faultpoints.reach("launch.started")
    return answers


def _start(context: Context, launches: list[Launch]) -> Results:
    results: Results = {}
    by_id = {launch.record.id: launch for launch in launches}
    for engine, records in context.by_engine(launch.record for launch in launches):
        results.update(engine.start([by_id[record.id] for record in records]))
    return results


def prepare(context: Context, state: State, record: Record, run: int) -> Launch:
    """Look up all that a run needs.

    Raises:
        LaunchError: its directory, program, user or environment file is missing.
    """
    from sentinel import accounts, command, environment

    spec = record.spec
    account = accounts.lookup(spec.user) if spec.user is not None else None
    if not os.path.isdir(spec.cwd):
        what = f"cannot start {record.name}: no such directory: {spec.cwd}"
        raise LaunchError(what, "make it, or give another --cwd")
    group = state.groups.get(spec.group) if spec.group else None
    env = environment.resolve(context.home, record, group, account)
    program, argv = command.resolve(spec.argv, spec.cwd, env.get("PATH"), account)
    return Launch(
        record=record,
        run=run,
        program=program,
        argv=argv,
        env=env,
        cwd=spec.cwd,
        account=account,
        stdout=str(context.home.log(record.name, "stdout")),
        stderr=str(context.home.log(record.name, "stderr")),
        notify=spec.startup_timeout is not None and spec.health is None,
    )
