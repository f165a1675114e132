"""`sentinel doctor` in tests: its answers by name, and its repairs carried out."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from lab import WITHIN, Sentinel


def examined(sentinel: Sentinel, **options: Any) -> dict[str, list[dict[str, Any]]]:
    """{name of a check: its answers}; the exit status fits them."""
    result = sentinel("doctor", "--json", **options)
    assert result.code in (0, 1), str(result)
    said = result.json()
    assert said["ok"] is (result.code == 0), str(result)
    assert said["ok"] is not any(check["status"] == "problem" for check in said["checks"]), str(result)
    found: dict[str, list[dict[str, Any]]] = {}
    for check in said["checks"]:
        assert list(check) == ["name", "status", "message", "repair"]
        assert bool(check["repair"]) is (check["status"] in ("warning", "problem")), check
        found.setdefault(check["name"], []).append(check)
    return found


def the(sentinel: Sentinel, name: str, status: str, said: str = "", **options: Any) -> dict[str, Any]:
    """The one answer of a check."""
    answers = examined(sentinel, **options)[name]
    assert [answer["status"] for answer in answers] == [status], answers
    assert said in answers[0]["message"], answers
    return answers[0]


def repair(sentinel: Sentinel, check: dict[str, Any]) -> None:
    """Do what it says, as somebody would who pastes it into a shell."""
    path = f"{os.path.dirname(sys.executable)}:{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        ["/bin/sh", "-c", check["repair"]],
        env=sentinel.environment({"PATH": path}),
        cwd=sentinel.cwd,
        capture_output=True,
        timeout=WITHIN,
        check=False,
    )
    assert done.returncode == 0, (check, done)
