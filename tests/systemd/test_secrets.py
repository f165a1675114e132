"""Values of variables, looked for by value: wherever systemd, the journal and other users could show them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from lab import WITHIN, Programs, Sentinel, eventually, systemctl, units

SECRET = "s3cr3t-" + os.urandom(8).hex()
SHOWN_BY_SYSTEMD = ("/run/systemd", f"/run/user/{os.geteuid()}/systemd", "/etc/systemd", "~/.config/systemd")


def journal() -> bytes:
    """All that we may read of it, every field."""
    argv = ["journalctl", "--quiet", "--no-pager", "--all", "--boot", "--output=export"]
    return subprocess.run(argv, capture_output=True, timeout=WITHIN, check=False).stdout


def arguments_of_all() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


def holding(*places: str | Path) -> set[Path]:
    """The files below that have it."""
    found = set()
    for place in places:
        for directory, _, names in os.walk(Path(place).expanduser()):
            for path in (Path(directory, name) for name in names):
                try:
                    if stat.S_ISREG(path.lstat().st_mode) and SECRET.encode() in path.read_bytes():
                        found.add(path)
                except OSError:
                    continue
    return found


def test_they_are_in_no_argument_property_unit_or_journal(
    sentinel_at: Callable[[Path, str], Sentinel], home: Path, programs: Programs, tmp_path: Path
) -> None:
    there = sentinel_at(home, "systemd")
    there.env = {"CAPTURED": SECRET}
    file = tmp_path / "secrets.env"
    file.write_text(f"FROM_FILE={SECRET}\n")
    file.chmod(0o600)
    there.ok("group", "create", "g", "--env", f"GROUP={SECRET}")
    how = ["--group", "g", "--env-file", str(file), "--env", f"OPTION={SECRET}", "--restart", "--health-cmd", "true"]
    there.ok("run", "--name", "w", *how, "--", *programs.report())
    assert {key for key, value in programs.reported()["env"].items() if value == SECRET} >= {
        "CAPTURED", "FROM_FILE", "GROUP", "OPTION"
    }  # fmt: skip
    there.fails(1, "run", "--name", "broken", *how, "--", "/bin/false/nothing")
    there.ok("daemon", "start")
    for crash in (True, False):
        pid = programs.reported()["pid"]
        programs.path("report").unlink()
        os.kill(pid, signal.SIGKILL) if crash else there.ok("restart", "w", "--update-env")
        assert programs.reported()["pid"] != pid
    there.ok("run", "--name", "loud", *how, "--", "/bin/sh", "-c", "echo this-is-in-the-journal; exec sleep 1000")
    eventually(lambda: b"this-is-in-the-journal" in journal())

    assert SECRET.encode() not in journal()
    assert not [words for words in arguments_of_all() if SECRET.encode() in words]
    loaded = units()
    assert len(loaded) >= 4, loaded  # two processes, their slices, the daemon
    for unit in loaded:
        assert SECRET not in systemctl("show", unit) + systemctl("cat", unit), unit
    assert not holding(*SHOWN_BY_SYSTEMD)
    kept = holding(home)
    assert {path.relative_to(home).parts[0] for path in kept} == {"environments", "run", "state.json", "state.json.bak"}
    for path in kept:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
