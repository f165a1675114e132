"""port allocate, list, free."""

from typing import Any

from sentinel.cli.call import Call
from sentinel.cli.columns import Column, Table
from sentinel.cli.look import local_time
from sentinel.errors import UsageError
from sentinel.supervisor.api import PortView

COLUMNS = (
    Column("PORT", right=True),
    Column("NAME", least=12, order=2),
    Column("PROCESS", least=12, order=1),
    Column("ALLOCATED"),
)


def allocate(call: Call) -> int:
    from sentinel import quantities
    from sentinel.names import check_name

    number, option = call.values.text("number"), call.values.text("port")
    if number is not None and option is not None:
        raise UsageError("PORT and --port are the same", "give one of them")
    given = number if number is not None else option
    name = call.values.text("name")
    if name is not None:
        check_name("port", name)
    view = call.supervisor.port_allocate(None if given is None else quantities.port(given), name)
    return _tell(call, "Allocated", view)


def free(call: Call) -> int:
    return _tell(call, "Freed", call.supervisor.port_free(call.values.required("port")))


def _tell(call: Call, verb: str, view: PortView) -> int:
    if call.out.json:
        call.out.data(as_data(view))
    else:
        call.out.line(f"{verb} port {view.port} ({view.name})")
    return 0


def list_ports(call: Call) -> int:
    views = call.supervisor.port_list()
    if call.out.json:
        call.out.data([as_data(view) for view in views])
    elif not views:
        call.out.note("No ports; get one with: sentinel port allocate --name NAME")
    else:
        rows = [[str(one.port), one.name, one.process or "-", local_time(one.allocated_at)] for one in views]
        call.out.raw("\n".join(Table(COLUMNS, rows, {}).on(call.out)) + "\n")
    return 0


def as_data(view: PortView) -> dict[str, Any]:
    return {"port": view.port, "name": view.name, "process": view.process, "allocated_at": view.allocated_at}
