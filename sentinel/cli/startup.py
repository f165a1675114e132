"""startup install, uninstall, status, print, systemd, run, end."""

from typing import TYPE_CHECKING, Any

from sentinel.cli.call import Call, with_identity

if TYPE_CHECKING:
    from sentinel.supervisor.startup.api import StartupView


def install(call: Call) -> int:
    view = call.supervisor.startup_install(*_where(call))
    if call.out.json:
        call.out.data(as_data(view))
    else:
        call.out.line(f"Installed {view.file}: what is wanted now comes back at boot")
    call.out.warnings(view.warnings)
    bad = [check for check in view.checks if not check.ok and check.name != "linger"]
    call.out.warnings(f"{check.message}; {check.hint}" for check in bad)
    return 1 if bad else 0


def uninstall(call: Call) -> int:
    view = call.supervisor.startup_uninstall(*_where(call))
    if call.out.json:
        call.out.data({**as_data(view), "installed": False, "ok": True, "was_installed": view.installed})
    else:
        call.out.line(f"Removed {view.file}; what runs goes on" if view.installed else "It was not installed")
    return 0


def status(call: Call) -> int:
    view = call.supervisor.startup_status(*_where(call))
    if call.out.json:
        call.out.data(as_data(view))
    else:
        for check in view.checks:
            mark = "ok  " if check.ok else "FAIL"
            call.out.line(f"{mark} {check.message}" + ("" if check.ok else f"; {check.hint}"))
    return 0 if view.ok else 1


def print_entry(call: Call) -> int:
    call.out.raw(call.supervisor.startup_print(*_where(call)))
    return 0


def run(call: Call) -> int:
    wait = call.supervisor.startup_listen() if call.values.flag("stay") else None
    outcome = call.supervisor.startup_run()
    status = call.tell(outcome, lambda one: with_identity("Started", one), nothing="everything runs that is wanted")
    if wait is not None:
        call.out.flush()
        wait()
        return _end(call, if_installed=True)
    return status


def end(call: Call) -> int:
    return _end(call, if_installed=call.values.flag("if_installed"))


def _end(call: Call, *, if_installed: bool) -> int:
    outcome = call.supervisor.startup_end(if_installed=if_installed)
    return call.tell(outcome, lambda one: f"Ended {one.name}", nothing="nothing to end")


def systemd(call: Call) -> int:
    """A unit for a command that sentinel does not know."""
    from sentinel.names import check_name

    values = call.values
    unit = call.supervisor.export_command(
        check_name("process", values.required("name")) if values.text("name") else None,
        values.words("command"),
        user=values.text("user"),
        cwd=values.text("cwd"),
        restart=values.flag("restart"),
        scope=values.text("scope"),
    )
    call.out.raw(unit)
    return 0


def as_data(view: "StartupView") -> dict[str, Any]:
    return {
        "system": view.system, "scope": view.scope, "name": view.name, "file": view.file,
        "installed": view.installed, "ok": view.ok,
        "checks": [{"name": c.name, "ok": c.ok, "message": c.message, "hint": "" if c.ok else c.hint}
                   for c in view.checks],
        "warnings": view.warnings,
    }  # fmt: skip


def _where(call: Call) -> tuple[str | None, str | None]:
    return call.values.text("system"), call.values.text("scope")
