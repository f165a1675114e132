"""The entry that brings processes back at boot: there, and fit to work."""

import re
from collections.abc import Iterator

from sentinel.errors import SentinelError
from sentinel.supervisor.doctor.check import Check, Subject, ok, problem, skipped


def entry(subject: Subject) -> Iterator[Check]:
    """A stale one calls a program or a home that is no more."""
    from importlib import import_module
    from importlib.util import find_spec

    if find_spec("sentinel.supervisor.startup") is None:
        yield skipped("startup", "this sentinel installs no entry")
        return
    try:
        view = import_module("sentinel.supervisor.startup.use").status(subject.home, None, None)
    except SentinelError as error:
        yield skipped("startup", error.message)
        return
    broken = [check for check in view.checks if not check.ok]
    if not view.installed:
        yield skipped("startup", "nothing brings processes back at boot; 'sentinel startup install' does")
    elif broken:
        for check in broken:
            said = re.search("'([^']+)'", check.hint)  # "run 'sentinel startup install' again"
            yield problem("startup", f"{view.name}: {check.message}", said[1] if said else "sentinel startup install")
    else:
        yield ok("startup", f"{view.name} brings back what is wanted")
