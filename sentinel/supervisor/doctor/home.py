"""The home itself: whose it is, whether there is room, whether state.json can be read, what was left in it."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from sentinel import codec, identity
from sentinel.errors import StateError
from sentinel.fields import parse
from sentinel.files import read_private, reason
from sentinel.model import State
from sentinel.quantities import human_size
from sentinel.supervisor.doctor.check import Check, Subject, command, listed, ok, problem, skipped, warning

LITTLE = 200 << 20  # bytes
TOO_LITTLE = 16 << 20
FEW_FILES, TOO_FEW_FILES = 1000, 50
_TEMPORARY = re.compile(r"\.tmp-(\d{1,10})-[0-9a-f]+")


def permissions(subject: Subject) -> Iterator[Check]:
    """Owner and modes: variables and logs may hold secrets."""
    root = subject.home.root
    try:
        found = root.stat()
    except FileNotFoundError:
        yield ok("home", f"{root} is made by the first command that needs it")
        return
    except OSError as error:
        yield problem("home", f"cannot look at {root}: {reason(error)}", command("ls", "-ld", root))
        return
    if not stat.S_ISDIR(found.st_mode):
        yield problem("home", f"{root} is not a directory", command("mv", root, f"{root}.old"))
    elif found.st_uid != os.geteuid():
        repair = f"{subject.sudo}{command('chown', '-R', subject.user, root)}"
        yield problem("home", f"{root} belongs to uid {found.st_uid}, not to {subject.user}", repair)
    elif not os.access(root, os.W_OK | os.X_OK) or os.statvfs(root).f_flag & os.ST_RDONLY:
        yield problem("home", f"{root} cannot be written", command("chmod", "u+rwx", root))
    else:
        open_ones = list(_open_to_others(subject))
        if open_ones:
            what = f"others may get into {listed(open_ones, 3)}"
            yield problem("home", what, command("chmod", "-R", "go-rwx", root))
        else:
            yield ok("home", f"{root} is yours alone")


def _open_to_others(subject: Subject) -> Iterator[str]:
    home = subject.home
    private = [home.root, home.state, home.backup, home.logs, home.exits, home.run, home.environments]
    try:
        private += sorted(home.environments.iterdir())
    except OSError:
        pass
    for path in private:
        try:
            found = path.lstat()
        except OSError:
            continue
        if not stat.S_ISLNK(found.st_mode) and found.st_mode & 0o077:
            yield str(path)


def space(subject: Subject, look: Callable[[Path], os.statvfs_result] = os.statvfs) -> Iterator[Check]:
    """Room for state and logs, in bytes and in files."""
    place = next((each for each in (subject.home.root, *subject.home.root.parents) if each.is_dir()), Path("/"))
    found = look(place)
    free = found.f_bavail * found.f_frsize
    repair = f"{command('du', '-xh', '--max-depth=2', place)} | sort -h | tail"
    if free < TOO_LITTLE:
        yield problem("space", f"only {human_size(free)} are free for {subject.home.root}", repair)
    elif found.f_files and found.f_favail < TOO_FEW_FILES:
        yield problem("space", f"only {found.f_favail} more files fit beside {subject.home.root}", repair)
    elif free < LITTLE:
        yield warning("space", f"only {human_size(free)} are free for {subject.home.root}", repair)
    elif found.f_files and found.f_favail < FEW_FILES:
        yield warning("space", f"only {found.f_favail} more files fit beside {subject.home.root}", repair)
    else:
        yield ok("space", f"{human_size(free)} are free")


def state(subject: Subject) -> Iterator[Check]:
    """Whether state.json and its backup can be loaded; gives the subject what could be."""
    home = subject.home
    current, trouble = _load(home.state)
    backup, backup_trouble = _load(home.backup)
    usable = current if current is not None else backup
    if usable is not None:
        subject.state, subject.readable = usable, True
    if current is not None:
        count = len(current.processes)
        if backup_trouble and home.state.exists():
            repair = command("cp", "-p", home.state, home.backup)
            yield warning("state", f"the backup of state.json is of no use: {backup_trouble}", repair)
        else:
            yield ok("state", f"{count} process{'es' * (count != 1)}")
    elif trouble == _MISSING and backup_trouble == _MISSING:
        subject.readable = True
        yield ok("state", "nothing was ever run here")
    elif trouble == _EARLIER:
        yield warning("state", "state.json is of an earlier version", "sentinel list")
    elif trouble == _NEWER:
        yield problem("state", "state.json is of a newer version of sentinel", "use that version")
    elif backup is not None:
        yield problem("state", f"{trouble}; its backup can be used, and the next command does", "sentinel list")
    else:
        repair = command("mv", home.state, f"{home.state}.damaged")
        yield problem("state", f"{trouble}, and its backup is of no use: {backup_trouble}", repair)


_MISSING, _EARLIER, _NEWER = "it is missing", "earlier", "newer"


def _load(path: Path) -> tuple[State | None, str]:
    """The state in a file, or why there is none."""
    try:
        raw = read_private(path)
    except FileNotFoundError:
        return None, _MISSING
    except OSError as error:
        return None, f"{path.name} cannot be read: {reason(error)}"
    try:
        document = parse(raw)
        return (None, _EARLIER) if codec.is_earlier(document) else (codec.from_document(document), "")
    except codec.NewerSchema:
        return None, _NEWER
    except StateError as error:
        return None, error.message


def temporary(subject: Subject) -> Iterator[Check]:
    """Files that a command was writing when it was killed."""
    home = subject.home
    left: list[str] = []
    for directory in (home.root, home.exits, home.environments, home.logs, home.run):
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        for name in names:
            match = _TEMPORARY.fullmatch(name)
            if match and identity.start_time(int(match[1])) is None:
                left.append(str(directory / name))
    if left:
        repair = command("rm", *sorted(left))
        count = f"{len(left)} temporary file{'s' * (len(left) != 1)}"
        yield warning("files", f"{count} of commands that were killed", repair)
    elif home.root.is_dir():
        yield ok("files", "nothing was left half-written")
    else:
        yield skipped("files", "there is no home yet")
