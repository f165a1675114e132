"""`import`: another supervisor's file becomes records, all of them or none."""

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from sentinel import names
from sentinel.errors import Conflict, LaunchError, SentinelError, UsageError
from sentinel.importing.report import Imported, Source, Wanted
from sentinel.model import Desired, Group, Spec, State
from sentinel.plain import dataclass
from sentinel.supervisor import creating, processes
from sentinel.supervisor.api import Done, Outcome
from sentinel.supervisor.context import Context

Progress = Callable[[int, int], None]
LARGEST = 16 << 20
NODE_PATIENCE = 60.0
# What the file evaluates to comes after a NUL: whatever else it prints comes before.
_NODE = """
const path = process.argv[1];
(async () => {
  let found;
  try { found = require(path); }
  catch (error) { if (error.code !== 'ERR_REQUIRE_ESM') throw error; found = await import('file://' + path); }
  found = found.default || found;
  process.stdout.write('\\0' + JSON.stringify(found));
})().catch(error => { console.error(String(error && error.message || error)); process.exit(1); });
"""


@dataclass(slots=True)
class ImportRequest:
    """`sentinel import`, parsed."""

    path: str
    format: str | None = None
    backend: str | None = None
    pm2_env: str | None = None
    run_node: bool = False
    dry_run: bool = False
    start: bool = False


@dataclass(slots=True)
class ImportOutcome:
    """The report, and what was done: nothing in a dry run."""

    imported: Imported
    outcome: Outcome


def run(context: Context, request: ImportRequest, progress: Progress | None = None) -> ImportOutcome:
    """Read the file and create what it asks for, stopped; with `start` also start what that supervisor would.

    Raises:
        UsageError, Conflict, LaunchError, Unsupported, BackendError: refused; nothing was touched.
    """
    from sentinel.importing import detect

    source = _source(request)
    format = request.format or detect.detect(request.path, source.text)
    if detect.is_javascript(source.path) and format == "pm2":
        source.text = _evaluated(source, run_node=request.run_node)
    imported = detect.parse(source, format, request.pm2_env)
    wanted = imported.wanted
    _check_names(source, wanted)
    warnings = [warning for one in wanted for warning in _check(source, one)]
    _plan(source, imported, wanted, context.store.read())
    if request.dry_run:
        return ImportOutcome(imported, Outcome([], warnings))
    outcome = _create(context, request, source, imported)
    if request.start:
        ids = [done.id for done, one in zip(outcome.done, wanted, strict=True) if one.start]
        started = {done.id: done for done in processes.start(context, ids, progress).done} if ids else {}
        outcome.done = [started.get(done.id, done) for done in outcome.done]
    outcome.warnings += warnings
    return ImportOutcome(imported, outcome)


def _source(request: ImportRequest) -> Source:
    import socket

    from sentinel import accounts

    path = os.path.abspath(request.path)
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        what = os.strerror(error.errno or 0).lower()
        raise UsageError(f"cannot read {names.printable(request.path)}: {what}", "check the path") from error
    if len(data) > LARGEST or b"\0" in data:
        raise UsageError(f"{names.printable(request.path)} is no text file of a sensible size", "is it the right one?")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{names.printable(request.path)}:{line}: not UTF-8", "convert it") from error
    return Source(
        text,
        path,
        names.printable(request.path),
        environ=os.environ,
        user=accounts.current_name(),
        uid=os.geteuid(),
        home=os.path.expanduser("~"),
        host=socket.gethostname(),
        cpus=os.cpu_count() or 1,
        exists=os.path.exists,
        read=_read,
    )


def _read(path: str) -> str | None:
    """Another file that this one names."""
    import stat

    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            return file.read(1 << 20).decode("utf-8", "surrogateescape")
    except OSError:
        return None


def _evaluated(source: Source, *, run_node: bool) -> str:
    """What a JavaScript file exports, as JSON."""
    if not run_node:
        hint = "add --run-node to run it with node, as pm2 does; or import the JSON that 'pm2 save' writes"
        source.refuse(None, "it is a program, not data", hint)
    import shutil
    import subprocess

    node = shutil.which("node")
    if node is None:
        source.refuse(None, "node is not installed, or not in PATH", "import the JSON that 'pm2 save' writes")
    try:
        done = subprocess.run(
            [node, "-e", _NODE, source.path],
            cwd=source.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=NODE_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        source.refuse(None, f"node did not evaluate it: {error}")
    if done.returncode != 0 or b"\0" not in done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        source.refuse(None, f"node cannot evaluate it: {names.printable(said[-1]) if said else 'it exports nothing'}")
    return done.stdout.rpartition(b"\0")[2].decode(errors="replace")


# what is refused before anything is touched


def _check_names(source: Source, wanted: list[Wanted]) -> None:
    """No name twice in the file, in whatever case."""
    seen: dict[str, Wanted] = {}
    for one in wanted:
        first = seen.setdefault(names.key(names.check_name("process", one.name)), one)
        if first is not one:
            where = f", as in line {first.line}" if first.line else ""
            source.refuse(one.line, f"the name {one.name} is there twice{where}", "rename one of them")


def _check(source: Source, one: Wanted) -> list[str]:
    """Raise for what could never be started; sentences about what can't be started yet."""
    from sentinel import accounts, command

    spec, where = one.spec, source.name if one.line is None else f"{source.name}:{one.line}"
    try:
        account = accounts.refuse_other_user(spec.user)
    except LaunchError as error:
        raise LaunchError(f"{where}: {one.name}: {error.message}", error.hint) from error
    spec.user = account.name if account else None
    if not os.path.isdir(spec.cwd):
        raise LaunchError(f"{where}: {one.name}: no such directory: {names.printable(spec.cwd)}", "make it first")
    if spec.env_file is not None and not os.path.isfile(spec.env_file):
        what = f"{where}: {one.name}: no such environment file: {names.printable(spec.env_file)}"
        raise LaunchError(what, "make it first")
    try:
        command.resolve(spec.argv, spec.cwd, spec.env.get("PATH", os.environ.get("PATH")), account)
    except SentinelError as error:
        return [f"{one.name}: {error.message}"]
    return []


def _plan(source: Source, imported: Imported, wanted: list[Wanted], state: State) -> list[creating.New]:
    """Raises Conflict: a name is taken here already."""
    taken = [record.name for record in state.processes.values()]
    for one in wanted:
        _free("process", one.name, taken, source, one.line)
    for group, line in imported.groups.items():
        names.check_name("group", group)
        _free("group", group, state.groups, source, line)
    return [creating.New(one.name, one.spec, one.ports, Desired.STOPPED) for one in wanted]


def _free(kind: str, name: str, taken: Iterable[str], source: Source, line: int | None) -> None:
    try:
        names.check_free(kind, name, taken)
    except Conflict as error:
        where = source.name if line is None else f"{source.name}:{line}"
        raise Conflict(f"{where}: {error.message}", "rename or delete one of them; nothing was imported") from error


def _create(context: Context, request: ImportRequest, source: Source, imported: Imported) -> Outcome:
    from sentinel.backends.resolve import resolve

    wanted = imported.wanted
    choice = resolve(context.home, flag=request.backend)
    engine = context.engine(choice.name, choice.scope)
    for one in wanted:
        engine.refuse(one.spec, None)
    context.home.prepare()

    def plan(state: State) -> list[creating.New]:
        news = _plan(source, imported, wanted, state)
        for group in imported.groups:
            state.groups[group] = Group(group, context.now())
        return news

    with ExitStack() as stack:
        ids = creating.create(context, stack, plan, choice.name, choice.scope)
    context.poke_daemon()
    state = context.store.read()
    done = [Done(i, one.name, group=one.spec.group) for i, one in zip(ids, wanted, strict=True)]
    for answer in done:
        answer.ports = dict(state.processes[answer.id].spec.ports) if answer.id in state.processes else {}
    told = _daemon_warning(context, [one.spec for one in wanted], engine.restarts_by_itself)
    return Outcome(done, [*choice.notes, *told])


def _daemon_warning(context: Context, specs: list[Spec], restarts_by_itself: bool) -> list[str]:
    """Once for all of them."""
    return next(filter(None, (creating.daemon_warning(context, spec, restarts_by_itself) for spec in specs)), [])
