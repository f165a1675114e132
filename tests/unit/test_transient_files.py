"""Mending what systemd before version 254 keeps of a transient unit."""

import os
from pathlib import Path

from sentinel.backends.systemd.bus import Value
from sentinel.backends.systemd.transient_files import mend

BROKEN = """# This is a transient unit file
[Unit]
Description=sentinel: web

[Service]
Restart=always
ExecStopPostEx=
ExecStopPostEx=-:+"/bin/sh" "-c" "echo \\$1\\; true" "x"
ExecStartEx=
ExecStartEx=:"/usr/bin/prog" "a\\;b"
WorkingDirectory=/
"""
COMMANDS = [
    ("Restart", Value("s", "always")),
    ("ExecStartEx", Value("a(sasas)", [("/usr/bin/prog", ["prog", "a;b", "$HOME", "100%"], ["no-env-expand"])])),
    ("ExecStopPostEx", Value("a(sasas)", [
        ("/bin/sh", ["/bin/sh", "-c", "echo $1; true\n"], ["no-env-expand", "privileged", "ignore-failure"])])),
    ("ExecStopEx", Value("a(sasas)", [("/odd'prog", ["/odd'prog", "$x"], [])])),
]  # fmt: skip


def test_commands_are_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "web.service"
    file.write_text(BROKEN)
    os.utime(file, ns=(1_000_000_000, 2_000_000_007))
    mend(file, COMMANDS)
    lines = file.read_text().splitlines()
    assert not [line for line in lines if "Ex=" in line]
    assert {"Restart=always", "WorkingDirectory=/", "Description=sentinel: web"} <= set(lines)
    assert lines[lines.index("[Service]", lines.index("[Service]") + 1) + 1 :] == [
        'ExecStart=:@/usr/bin/prog prog "a;b" "$HOME" "100%%"',
        'ExecStopPost=:+-/bin/sh -c "echo $1; true\\n"',
        'ExecStop=/bin/sh -c "exec \\"$$0\\" \\"$$@\\"" "/odd\'prog" "$$x"',
    ]
    assert file.stat().st_mtime_ns == 2_000_000_007  # else systemctl says that it has changed


def test_what_is_right_or_not_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "web.service"
    mend(file, COMMANDS)
    assert not file.exists()
    right = BROKEN.replace("Ex=", "=")
    file.write_text(right)
    mend(file, COMMANDS)
    assert file.read_text() == right
