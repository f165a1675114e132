"""daemon start, stop, status, run."""

from typing import TYPE_CHECKING, Any

from sentinel.cli.call import Call

if TYPE_CHECKING:
    from sentinel.supervisor.api import DaemonView


def start(call: Call) -> int:
    before = call.supervisor.daemon_status()
    now = call.supervisor.daemon_start(call.values.text("backend"), call.values.text("metrics"))
    already = before.running and before.pid == now.pid
    return _tell(
        call, now, f"Daemon is already running{_pid(now)}" if already else f"Daemon started{_pid(now)}"
    )


def stop(call: Call) -> int:
    was = call.supervisor.daemon_stop()
    ran = was.running or was.pid is not None
    data = {"running": False, "pid": was.pid, "uptime_seconds": was.uptime_seconds}
    if call.out.json:
        call.out.data(data)
    else:
        call.out.line(f"Daemon stopped{_pid(was)}" if ran else "Daemon was not running")
    return 0


def status(call: Call) -> int:
    view = call.supervisor.daemon_status()
    return _tell(call, view, _status_line(view))


def _status_line(view: "DaemonView") -> str:
    from sentinel.quantities import human_duration

    if not view.running:
        return "Daemon is not running; start it with: sentinel daemon start"
    said = [] if view.pid is None else [f"pid: {view.pid}"]
    if view.uptime_seconds is not None:
        said.append(f"uptime: {human_duration(view.uptime_seconds)}")
    if view.backend == "systemd":
        said.append("as a systemd unit")
    if view.metrics is not None:
        said.append(f"metrics: http://{view.metrics}/metrics")
    return f"Daemon is running ({', '.join(said)})" if said else "Daemon is running"


def run(call: Call) -> int:
    call.stays()
    call.supervisor.daemon_run(call.values.text("metrics"))
    return 0


def _tell(call: Call, view: "DaemonView", text: str) -> int:
    if call.out.json:
        call.out.data(as_data(view))
    else:
        call.out.line(text)
    return 0


def as_data(view: "DaemonView") -> dict[str, Any]:
    return {"running": view.running, "pid": view.pid, "uptime_seconds": view.uptime_seconds, "metrics": view.metrics}


def _pid(view: "DaemonView") -> str:
    return "" if view.pid is None else f" (pid: {view.pid})"
