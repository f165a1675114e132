"""What `export` wrote for other supervisors, `import` takes back: the same processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lab import Programs, Sentinel

NICE = ("--nice", "3", "--limit-nofile", "512")
POLICY = ("--restart", "--stop-timeout", "21", "--stop-signal", "INT")


@pytest.mark.parametrize("format", ["systemd", "supervisord", "procfile"])
def test_there_and_back(
    native: Sentinel,
    sentinel_at: Callable[[Path, str], Sentinel],
    programs: Programs,
    tmp_path: Path,
    format: str,
) -> None:
    words = programs.report("report", "a  b", "$HOME 100% \\x41 ;", "it's \"q\"")
    limits = NICE if format == "systemd" else ()
    quotes = "'z'" if format != "supervisord" else ""  # which knows no value with both kinds
    native.ok("run", "--name", "web", "--env", f'LAB_A=x "y" {quotes} $V 5% \\', *POLICY, *limits, "--", *words)
    before, seen = native.status("web"), programs.reported()
    native.ok("stop", "web")
    programs.path("report").unlink()
    native.ok("export", "web", "--to", format, "--output", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    main = next(tmp_path / "out" / name for name in names if name.endswith((".service", ".conf", "Procfile")))
    other = sentinel_at(tmp_path / "other", "native")
    made = other.ok("import", main, "--start", "--json").json()
    (name,) = [one["name"] for one in made["processes"]]
    after, again = other.status(name), programs.reported()
    assert again["argv"] == seen["argv"]
    assert again["env"]["LAB_A"] == seen["env"]["LAB_A"]
    assert again["cwd"] == seen["cwd"]
    if format != "procfile":
        assert same(after, before, "restart_policy", "cwd", "user")


def same(one: dict[str, Any], other: dict[str, Any], *keys: str) -> bool:
    return {key: one[key] for key in keys} == {key: other[key] for key in keys}
