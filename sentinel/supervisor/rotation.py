"""Rotate full log files when a command comes by: the daemon does it in time, where one runs."""

from collections.abc import Iterable

from sentinel.errors import SentinelError
from sentinel.model import Record
from sentinel.supervisor.context import Context


def has_files(record: Record) -> bool:
    """Whether its output goes to files, not to the journal."""
    return record.backend == "native" or record.spec.logs.kind == "file"


def rotate_full(context: Context, records: Iterable[Record]) -> list[str]:
    """Rotate what is over its limit; costs a look at each file otherwise. Sentences about what went wrong."""
    with_files = [record for record in records if has_files(record)]
    if not with_files:
        return []
    from sentinel.logs.rotate import rotate

    trouble = []
    for record in with_files:
        for stream in ("stdout", "stderr"):
            path = context.home.log(record.name, stream)
            try:
                rotate(path, record.spec.logs.max_size, record.spec.logs.backups)
            except SentinelError as error:
                trouble.append(str(error))
    return trouble
