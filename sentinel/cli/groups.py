"""group create, add, remove, list, start, stop, restart, delete."""

from typing import Any

from sentinel.cli.call import Call, done_data
from sentinel.cli.columns import Column, Table
from sentinel.cli.processes import deleted, restarted, started, stopped
from sentinel.errors import UsageError
from sentinel.supervisor.api import Done, GroupView

MASK = "***"
COLUMNS = (
    Column("NAME", least=12, order=3, fair=20),
    Column("PROCESSES", least=16, order=2),
    Column("ENV", least=12, order=1),
    Column("ENV FILE", least=12, order=2, fair=24),
    Column("LIMITS", order=4),
)


def create(call: Call) -> int:
    from sentinel import quantities
    from sentinel.cli.running import variables
    from sentinel.names import check_name

    name = check_name("group", call.values.required("group"))
    memory, cpu, tasks = (call.values.text(key) for key in ("memory_max", "cpu_quota", "tasks_max"))
    warnings = call.supervisor.group_create(
        name,
        variables(call.values.words("env")),
        call.values.text("env_file"),
        None if memory is None else quantities.size(memory, what="--memory-max", minimum=1),
        None if cpu is None else quantities.percent(cpu),
        None if tasks is None else quantities.count(tasks, what="--tasks-max", minimum=1),
    )
    if call.out.json:
        call.out.data({"name": name, "warnings": warnings})
    else:
        call.out.line(f"Created group {name}")
    call.out.warnings(warnings)
    return 0


def add(call: Call) -> int:
    group = call.values.required("group")

    def added(one: Done) -> str:
        return (
            f"{one.name} was already in group {group}"
            if one.already
            else f"Added {one.name} to group {group}"
        )

    names = call.values.words("names")
    return call.tell(call.supervisor.group_add(group, names, restart=call.values.flag("restart")), added)


def remove(call: Call) -> int:
    group = call.values.required("group")

    def removed(one: Done) -> str:
        return (
            f"{one.name} was not in group {group}"
            if one.already
            else f"Removed {one.name} from group {group}"
        )

    return call.tell(call.supervisor.group_remove(group, call.values.words("names")), removed)


def start(call: Call) -> int:
    group = call.values.required("group")
    return call.tell(call.supervisor.group_start(group), started, _none(group))


def stop(call: Call) -> int:
    group = call.values.required("group")
    outcome = call.supervisor.group_stop(group, force=call.values.flag("force"))
    return call.tell(outcome, stopped, _none(group))


def restart(call: Call) -> int:
    group = call.values.required("group")
    return call.tell(call.supervisor.group_restart(group), restarted, _none(group))


def _none(group: str) -> str:
    return f"Nothing to do in group {group}"


def delete(call: Call) -> int:
    group = call.values.required("group")
    everything, stops = call.values.flag("with_processes"), call.values.flag("stop")
    if everything and stops:
        raise UsageError("--with-processes and --stop contradict each other", "leave one of them away")
    outcome = call.supervisor.group_delete(group, with_processes=everything, stop=stops)
    failures = [(one.name, one.error) for one in outcome.done if one.error]
    if call.out.json:
        call.out.data(
            {"name": group, "ok": not failures, "processes": [done_data(one) for one in outcome.done]}
        )
    else:
        for one in outcome.done:
            if not one.error and (everything or stops):
                call.out.line(deleted(one) if everything else stopped(one))
        if not failures:
            call.out.line(f"Deleted group {group}")
    call.out.warnings(outcome.warnings)
    call.out.errors(failures)
    return 1 if failures else 0


def list_groups(call: Call) -> int:
    views = call.supervisor.group_list(call.values.text("group"))
    shown = call.values.flag("show_env")
    if call.out.json:
        call.out.data([as_data(view, shown) for view in views])
    elif not views:
        call.out.note("No groups; make one with: sentinel group create NAME")
    else:
        table = Table(COLUMNS, [row(view, shown) for view in views], {})
        call.out.raw("\n".join(table.on(call.out)) + "\n")
    return 0


def variables_shown(view: GroupView, shown: bool) -> dict[str, str]:
    return {key: value if shown else MASK for key, value in view.env.items()}


def as_data(view: GroupView, shown: bool) -> dict[str, Any]:
    return {
        "name": view.name, "processes": view.processes, "env": variables_shown(view, shown),
        "env_file": view.env_file, "created_at": view.created_at,
    }  # fmt: skip


def row(view: GroupView, shown: bool) -> list[str]:
    env = " ".join(f"{key}={value}" for key, value in variables_shown(view, shown).items())
    return [view.name, " ".join(view.processes) or "-", env or "-", view.env_file or "-", limits(view) or "-"]


def limits(view: GroupView) -> str:
    from sentinel.quantities import human_size

    said = []
    if view.memory_max is not None:
        said.append(f"memory {human_size(view.memory_max)}")
    if view.cpu_quota is not None:
        said.append(f"cpu {view.cpu_quota:g}%")
    if view.tasks_max is not None:
        said.append(f"tasks {view.tasks_max}")
    return ", ".join(said)
