"""What is really in force for a process: a manager drops silently what it may not set."""

import os
from pathlib import Path

from sentinel.files import read_small
from sentinel.model import Limits

_CGROUPS = "/sys/fs/cgroup"


def notes(pid: int, limits: Limits) -> list[str]:
    """A sentence for each limit that was asked for and is not in force. Nothing once the process is gone."""
    out = []
    if limits.nice is not None:
        found = nice(pid)
        if found is not None and found != limits.nice:
            out.append(f"nice {limits.nice} is not in force: systemd's manager left it at {found}")
    if limits.nofile is not None:
        most = open_files(pid)
        if most is not None and most != limits.nofile:
            out.append(f"the limit of {limits.nofile} open files is not in force: it is {most} here")
    if (
        limits.memory_max is not None
        and cgroup(pid) is not None
        and not memory_limited(pid, limits.memory_max)
    ):
        out.append("the memory limit is not in force: this service manager has no memory controller")
    if limits.ionice is not None and not _io_matches(pid, limits.ionice):
        out.append(f"i/o priority {limits.ionice} is not in force")
    return out


def nice(pid: int) -> int | None:
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except OSError:
        return None


def open_files(pid: int) -> int | None:
    """The soft limit."""
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("Max open files"):
            soft = line.split()[3]
            return int(soft) if soft.isdigit() else None
    return None


def cgroup(pid: int) -> str | None:
    """The control group's directory: of the unified hierarchy, or of systemd's own beside older ones."""
    try:
        lines = read_small(f"/proc/{pid}/cgroup").decode(errors="surrogateescape").splitlines()
    except OSError:
        return None
    for prefix, tops in (("0::", ("", "/unified")), ("1:name=systemd:", ("/systemd",))):
        for line in lines:
            path = line.removeprefix(prefix)
            if path == line or path == "/":
                continue
            for top in tops:
                found = f"{_CGROUPS}{top}{path}"
                if os.path.exists(f"{found}/cgroup.procs"):
                    return found
    return None


def memory_limited(pid: int, wanted: int) -> bool:
    """Whether a limit of at most that much (the kernel rounds down to pages) holds."""
    directory = cgroup(pid)
    if directory is None:
        return False
    try:
        found = Path(directory, "memory.max").read_text().strip()
    except OSError:
        return False
    return found.isdigit() and int(found) <= wanted


def processes(directory: str) -> list[int]:
    """All in that control group and below it."""
    return sorted(pid for pid in _processes(directory) if pid > 0)


def _processes(directory: str) -> list[int]:
    try:
        with open(f"{directory}/cgroup.procs", "rb", buffering=0) as file:
            out = [int(pid) for pid in file.readall().split()]
        if os.stat(directory).st_nlink > 2:  # as in all of sysfs: 2 and one for each directory in it
            for entry in os.scandir(directory):
                if entry.is_dir(follow_symlinks=False):
                    out += _processes(entry.path)
    except OSError:
        return []  # it went while we looked
    return out


def _io_matches(pid: int, wanted: str) -> bool:
    import psutil

    from sentinel.quantities import ionice_parts

    kind, level = ionice_parts(wanted)
    try:
        found = psutil.Process(pid).ionice()
    except psutil.Error:
        return True
    return int(found.ioclass) == kind and (kind == psutil.IOPRIO_CLASS_IDLE or int(found.value) == level)
