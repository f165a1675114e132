"""doctor: what each check says, and the command that repairs it. Exit status 1 if there is a problem."""

from typing import TYPE_CHECKING, Any

from sentinel.cli.call import Call
from sentinel.cli.text import DIM, GREEN, RED, YELLOW, coloured, escape, has_colour

if TYPE_CHECKING:
    from sentinel.supervisor.doctor.check import Check

COLOURS = {"ok": GREEN, "warning": YELLOW, "problem": RED, "skipped": DIM}


def doctor(call: Call) -> int:
    checks = call.supervisor.doctor()
    problems = sum(check.status == "problem" for check in checks)
    if call.out.json:
        call.out.data({"ok": not problems, "checks": [as_data(check) for check in checks]})
    else:
        _table(call, checks)
    return 1 if problems else 0


def as_data(check: "Check") -> dict[str, Any]:
    return {"name": check.name, "status": check.status.value, "message": check.message, "repair": check.repair or None}


def _table(call: Call, checks: "list[Check]") -> None:
    """A line for each, and under it the command: never cut, so that it can be copied."""
    colour = has_colour(call.out.out)
    wide = max(len(check.name) for check in checks)
    for check in checks:
        status = check.status.value.ljust(7)
        status = coloured(status, COLOURS[check.status.value]) if colour else status
        call.out.raw(f"{status}  {check.name.ljust(wide)}  {escape(check.message)}\n")
        if check.repair:
            call.out.raw(f"{'':9}{'':{wide}}  repair: {escape(check.repair)}\n")
    counts = {name: sum(check.status == name for check in checks) for name in ("problem", "warning")}
    told = ", ".join(f"{number} {name}{'s' * (number != 1)}" for name, number in counts.items() if number)
    call.out.raw(f"{told or 'all is well'}\n")
