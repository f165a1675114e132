"""The supervisor as the command line sees it: one object, one method for each use case.

Everything that takes `names` accepts names and ids, names first. Every method raises a SentinelError for what
can't be done at all; what fails for single processes stands in their `Done.error`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from sentinel.backends.base import LogLine, LogSource
from sentinel.events import Event
from sentinel.paths import Home
from sentinel.supervisor.api import DaemonView, GroupView, Listing, Outcome, PortView, RunRequest

if TYPE_CHECKING:
    from sentinel.supervisor.doctor.check import Check
    from sentinel.supervisor.export.use import Exported
    from sentinel.supervisor.importing import ImportOutcome, ImportRequest
    from sentinel.supervisor.startup.api import StartupView

    Checks = list[Check]

Names = list[str]  # inside the class `list` is a method
Groups = list[GroupView]
Ports = list[PortView]
Events = list[Event]
Progress = Callable[[int, int], None]  # how many of how many are done; called from time to time


class Supervisor:
    """All use cases over one home. Cheap to make: nothing is read or imported before it is needed."""

    def __init__(self, home: Home) -> None:
        from sentinel.supervisor.context import Context

        self._context = Context(home)

    @property
    def warnings(self) -> list[str]:
        """Sentences about state.json itself, such as a recovery from its backup."""
        return self._context.store.warnings

    @property
    def command(self) -> str:
        """Which command asks: for the ledger of events."""
        return self._context.store.command

    @command.setter
    def command(self, words: str) -> None:
        self._context.store.command = words

    # processes

    def run(self, request: RunRequest, progress: Progress | None = None) -> Outcome:
        from sentinel.supervisor import creating

        return creating.run(self._context, request, progress)

    def import_file(self, request: "ImportRequest", progress: Progress | None = None) -> "ImportOutcome":
        """Create what another supervisor's file asks for."""
        from sentinel.supervisor import importing

        return importing.run(self._context, request, progress)

    def start(self, names: Sequence[str], progress: Progress | None = None) -> Outcome:
        from sentinel.supervisor import processes

        return processes.start(self._context, processes.find(self._context, names), progress)

    def stop(self, names: Sequence[str], *, force: bool = False, progress: Progress | None = None) -> Outcome:
        from sentinel.supervisor import processes

        return processes.stop(self._context, processes.find(self._context, names), force=force, progress=progress)

    def restart(
        self, names: Sequence[str], *, update_env: bool = False, progress: Progress | None = None
    ) -> Outcome:
        from sentinel.supervisor import processes

        ids = processes.find(self._context, names)
        return processes.restart(self._context, ids, update_env=update_env, progress=progress)

    def delete(self, names: Sequence[str], *, force: bool = False, progress: Progress | None = None) -> Outcome:
        from sentinel.supervisor import processes

        return processes.delete(self._context, processes.find(self._context, names), force=force, progress=progress)

    def clean(self) -> Outcome:
        from sentinel.supervisor import processes

        return processes.clean(self._context)

    def start_all(self, progress: Progress | None = None) -> Outcome:
        from sentinel.supervisor import processes

        return processes.start(self._context, self._all(), progress)

    def stop_all(self, *, force: bool = False, progress: Progress | None = None) -> Outcome:
        from sentinel.supervisor import processes

        return processes.stop(self._context, self._all(), force=force, progress=progress)

    def restart_all(self, progress: Progress | None = None) -> Outcome:
        from sentinel.model import Desired
        from sentinel.supervisor import processes

        state = self._context.store.read()
        wanted = [r.id for r in state.processes.values() if r.desired is Desired.RUNNING]
        return processes.restart(self._context, wanted, progress=progress)

    def move(self, names: Sequence[str], backend: str, progress: Progress | None = None) -> Outcome:
        from sentinel.supervisor import moving, processes

        return moving.move(self._context, processes.find(self._context, names), backend, progress)

    def _all(self) -> list[int]:
        return list(self._context.store.read().processes)

    # looking

    def list(self, group: str | None = None, *, usage: bool = True) -> Listing:
        from sentinel.supervisor.listing import listing

        return listing(self._context, group, usage=usage)

    def status(self, names: Sequence[str]) -> Listing:
        from sentinel.supervisor.listing import status

        return status(self._context, names)

    def names(self) -> Names:
        """Process names, for completion: nothing is started or checked."""
        return [record.name for record in self._context.store.read().processes.values()]

    def doctor(self) -> "Checks":
        """What usually breaks, looked at without changing anything."""
        from sentinel.supervisor.doctor.examine import examine

        return examine(self._context)

    def events(self, names: Sequence[str], lines: int, since: float | None) -> Events:
        """The latest events of these processes (none named: all), oldest first."""
        from sentinel.supervisor import history

        return history.events(self._context, names, lines, since)

    def event_follow(self, names: Sequence[str], lines: int, since: float | None) -> Iterator[Event | None]:
        """The latest, then what comes; None: nothing for a moment."""
        from sentinel.supervisor import history

        return history.follow(self._context, names, lines, since)

    def metrics(self) -> str:
        """OpenMetrics text. Only looks: nothing is restarted."""
        from sentinel.supervisor.measuring import measure

        return measure(self._context)

    # logs

    def log_tail(self, name: str, lines: int, streams: Sequence[str], since: float | None) -> Iterator[LogLine]:
        return self._log(name).tail(lines, streams, since)

    def log_follow(
        self, name: str, lines: int, streams: Sequence[str], since: float | None
    ) -> Iterator[LogLine | None]:
        """What `log_tail` gives, then what comes, with none lost or twice in between."""
        return self._log(name).tail_and_follow(lines, streams, since)

    def log_clear(self, names: Sequence[str]) -> Outcome:
        from sentinel.supervisor import clearing

        return clearing.clear(self._context, names)

    def _log(self, name: str) -> LogSource:
        from sentinel.names import find
        from sentinel.supervisor.rotation import rotate_full

        record = find(self._context.store.read(), name)
        rotate_full(self._context, [record])
        return self._context.engine_of(record).logs(record)

    # groups

    def group_create(
        self,
        name: str,
        env: dict[str, str],
        env_file: str | None,
        memory_max: int | None = None,
        cpu_quota: float | None = None,
        tasks_max: int | None = None,
    ) -> Names:
        """Warnings, a sentence each."""
        from sentinel.model import Group
        from sentinel.supervisor import groups

        group = Group(name, 0.0, env, env_file, memory_max, cpu_quota, tasks_max)
        return groups.create(self._context, group)

    def group_add(self, group: str, names: Sequence[str], *, restart: bool = False) -> Outcome:
        from sentinel.supervisor import groups

        return groups.add(self._context, group, names, restart=restart)

    def group_remove(self, group: str, names: Sequence[str]) -> Outcome:
        from sentinel.supervisor import groups

        return groups.remove(self._context, group, names)

    def group_list(self, name: str | None = None) -> Groups:
        from sentinel.supervisor import groups

        return groups.views(self._context, name)

    def group_names(self) -> Names:
        return list(self._context.store.read().groups)

    def group_start(self, name: str) -> Outcome:
        from sentinel.supervisor import groups

        return groups.start(self._context, name)

    def group_stop(self, name: str, *, force: bool = False) -> Outcome:
        from sentinel.supervisor import groups

        return groups.stop(self._context, name, force=force)

    def group_restart(self, name: str) -> Outcome:
        from sentinel.supervisor import groups

        return groups.restart(self._context, name)

    def group_delete(self, name: str, *, with_processes: bool = False, stop: bool = False) -> Outcome:
        from sentinel.supervisor import groups

        return groups.delete(self._context, name, with_processes=with_processes, stop=stop)

    # ports

    def port_allocate(self, port: int | None, name: str | None) -> PortView:
        from sentinel.supervisor import ports

        return ports.allocate(self._context, port, name)

    def port_list(self) -> Ports:
        from sentinel.supervisor import ports

        return ports.views(self._context)

    def port_free(self, port_or_name: str) -> PortView:
        from sentinel.supervisor import ports

        return ports.free(self._context, port_or_name)

    def port_names(self) -> Names:
        return [lease.name for lease in self._context.store.read().ports]

    # the daemon

    def daemon_start(self, backend: str | None = None, metrics: str | None = None) -> DaemonView:
        """`metrics`: HOST:PORT to serve them on."""
        from sentinel.supervisor import daemon_client

        view = daemon_client.start(self._context.home, backend, metrics)
        if not view.already:
            daemon_client.want_metrics(self._context.home, metrics)
        return view

    def daemon_stop(self) -> DaemonView:
        """The daemon that was running, if one was; returns when it has ended. Processes stay."""
        from sentinel.supervisor import daemon_client

        daemon_client.want_metrics(self._context.home, None)
        return daemon_client.stop(self._context.home)

    def daemon_status(self) -> DaemonView:
        from sentinel.supervisor import daemon_client

        return daemon_client.status(self._context.home)

    def daemon_run(self, metrics: str | None = None) -> None:
        """In the foreground until SIGTERM or SIGINT."""
        from sentinel.supervisor.daemon.main import run

        run(self._context.home, metrics=metrics)

    # start at boot, and life without sentinel

    def startup_install(self, system: str | None, scope: str | None) -> "StartupView":
        from sentinel.supervisor.startup import use

        return use.install(self._context.home, system, scope)

    def startup_uninstall(self, system: str | None, scope: str | None) -> "StartupView":
        """The entry as it was. Processes stay."""
        from sentinel.supervisor.startup import use

        return use.uninstall(self._context.home, system, scope)

    def startup_status(self, system: str | None, scope: str | None) -> "StartupView":
        from sentinel.supervisor.startup import use

        return use.status(self._context.home, system, scope)

    def startup_print(self, system: str | None, scope: str | None) -> str:
        from sentinel.supervisor.startup import use

        return use.print_entry(self._context.home, system, scope)

    def startup_run(self) -> Outcome:
        """Bring back all that is wanted: what the entry calls at boot."""
        from sentinel.supervisor.startup import bringing

        return bringing.run(self._context)

    def startup_listen(self) -> Callable[[], None]:
        """Take SIGTERM and SIGINT from now on; what is returned waits for one."""
        from sentinel.supervisor.startup import bringing

        return bringing.listen()

    def startup_end(self, *, if_installed: bool = False) -> Outcome:
        """End native processes, still wanted: what the entry calls at shutdown. Not once it was taken away."""
        from sentinel.supervisor.startup import bringing, use

        if if_installed and use.is_uninstalled(self._context.home):
            return Outcome([])
        return bringing.end(self._context)

    def export(
        self, names: Sequence[str], format: str, output: str | None, *, show_env: bool, scope: str | None
    ) -> "Exported":
        from sentinel.supervisor.export import use

        return use.export(self._context, names, format, output, show_env=show_env, scope=scope)

    def export_command(
        self,
        name: str | None,
        command: Sequence[str],
        *,
        user: str | None,
        cwd: str | None,
        restart: bool,
        scope: str | None,
    ) -> str:
        """A unit file for a command that sentinel does not run."""
        from sentinel.supervisor.export import use

        return use.command(name, command, user=user, cwd=cwd, restart=restart, scope=scope)
