"""The mapping tables as Markdown, from the rules that the readers go by."""

from collections.abc import Mapping

from sentinel.importing import pm2_rules, procfile, supervisord_rules, systemd_rules
from sentinel.importing.report import Rule

TABLES: dict[str, Mapping[str, Rule]] = {
    "procfile": procfile.RULES,
    "supervisord [program:x]": supervisord_rules.PROGRAM,
    "supervisord [group:x]": supervisord_rules.GROUP,
    "supervisord [supervisord]": supervisord_rules.SUPERVISORD,
    "supervisord other sections": supervisord_rules.OTHER,
    "pm2": pm2_rules.RULES,
    "systemd": systemd_rules.RULES,
}


def markdown(name: str) -> str:
    """One of the tables."""
    rows = ["| Option | | Becomes | Notes |", "|---|---|---|---|"]
    for option, rule in TABLES[name].items():
        to = f"`{rule.to}`" if rule.to else ""
        rows.append(f"| `{option}` | {rule.verdict.value} | {to} | {rule.note.replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"


def refreshed(text: str) -> str:
    """The document with each table between its marks made anew: `<!-- table: NAME -->` … `<!-- end -->`."""
    import re

    def table(match: re.Match[str]) -> str:
        return f"<!-- table: {match[1]} -->\n\n{markdown(match[1])}\n<!-- end -->"

    return re.sub(r"<!-- table: (.+?) -->\n.*?<!-- end -->", table, text, flags=re.DOTALL)
