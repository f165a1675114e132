"""INI files the way supervisord reads them, with the number of every line."""

import re

from sentinel.importing.report import Source
from sentinel.plain import dataclass, field

_HEADER = re.compile(r"\[([^]]+)\]")
_COMMENT = re.compile(r"(?:^|\s)[;#].*")


@dataclass(slots=True)
class Block:
    """A section: its options' values and lines; of an option given twice the last counts."""

    title: str
    line: int
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def read(source: Source) -> list[Block]:
    """The sections in order; one that comes again goes on. Raises UsageError."""
    blocks: dict[str, Block] = {}
    block: Block | None = None
    option = ""
    for number, raw in enumerate(source.text.splitlines(), 1):
        line = _COMMENT.sub("", raw, count=1).rstrip()
        if not line.strip():
            continue
        if raw[:1] in " \t" and option and block is not None:
            block.values[option] += "\n" + line.strip()
            continue
        header = _HEADER.match(line)
        if header:
            block, option = blocks.setdefault(header[1], Block(header[1], number)), ""
            continue
        name, delimiter, value = _split(line)
        if block is None or not delimiter or not name:
            source.refuse(number, f"neither a [section] nor an option: {line.strip()[:60]!r}")
        option = name.lower()
        block.values[option], block.lines[option] = value, number
    return list(blocks.values())


def _split(line: str) -> tuple[str, str, str]:
    at = min((found for found in (line.find("="), line.find(":")) if found >= 0), default=-1)
    return (line.strip(), "", "") if at < 0 else (line[:at].strip(), line[at], line[at + 1 :].strip())
