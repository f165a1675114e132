"""All checks, in the order in which one explains the next."""

from collections.abc import Callable, Iterable

from sentinel.errors import SentinelError
from sentinel.files import reason
from sentinel.supervisor.context import Context
from sentinel.supervisor.doctor.check import Check, Subject, problem


def examine(context: Context) -> list[Check]:
    """What each of them says. Changes nothing; one that can't be made says why."""
    from sentinel.supervisor.doctor import daemon, home, journal, leftovers, machine, ports, programs, startup, systemd

    checks: list[tuple[str, Callable[[Subject], Iterable[Check]]]] = [
        ("home", home.permissions),
        ("space", home.space),
        ("state", home.state),
        ("files", home.temporary),
        ("daemon", daemon.daemon),
        ("keeper", daemon.keeper),
        ("processes", leftovers.processes),
        ("programs", programs.programs),
        ("ports", ports.leases),
        ("clock", machine.clock),
        ("boot", machine.boot),
        ("startup", startup.entry),
        ("bus", systemd.all_of_it),
        ("units", leftovers.units),
        ("journal", journal.journal),
    ]
    subject = Subject(context)
    return [found for name, check in checks for found in _made(name, check, subject)]


def _made(name: str, check: Callable[[Subject], Iterable[Check]], subject: Subject) -> list[Check]:
    found: list[Check] = []
    try:
        found.extend(check(subject))
    except SentinelError as error:
        found.append(problem(name, error.message, error.hint))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        found.append(problem(name, f"cannot be checked: {reason(error)}{where}", "check its permissions"))
    return found
