"""A unit file is read as systemd itself reads it: the same words and variables arrive."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab import WITHIN, Programs, Sentinel, eventually
from systemd_bench import needs_user, systemctl

CASES = {
    "words": r"""one 'two words' "it's" 'say "x"' \x41\s\x42 a\tb "" '' it''s %% %n %p %i \u00e9 %h""",
    "variables": r"""$A ${A}x x${A} $B ${B} "${B}" '$B' $$A a$A $MISSING ${MISSING} x${MISSING}y * ~ "a;b" $$""",
}

FILE = r"""# a comment \
LOST=yes
; another
PLAIN=one two   
SPACED =  "a b"  'c' d "e"
SINGLE='x $B \n "q"'tail
DOUBLE="x \$B \"q\" \n \\ ${A} `id` $A"
BARE=x "y" \"z\" \ 'w' $A ${B} # no comment
export EXPORTED=1
LONG=one \
  two
QUOTED="one
two"
EMPTY=
no variable
A=9
LAST=end"""  # noqa: W291


@pytest.fixture
def backend() -> str:
    return "systemd"


@needs_user
@pytest.mark.parametrize("case", CASES)
def test_the_same_words_arrive(sentinel: Sentinel, programs: Programs, tmp_path: Path, case: str) -> None:
    name = f"lab-{os.getpid()}-{case}@inst.service"
    code = "import json,os,sys\nenv = os.environ\nfound = [sys.argv[2:], env['A'], env['B'], env['C']]\n"
    code += "open(sys.argv[1], 'w').write(json.dumps(found))\n"
    script = programs.path("words.py")
    script.write_text(code)
    unit = Path.home() / ".config/systemd/user" / name
    unit.parent.mkdir(parents=True, exist_ok=True)

    def text(result: Path) -> str:
        return (
            f"[Service]\nType=oneshot\nEnvironment=A=1 'B=two   words'\nEnvironment=\"C=50%%\"\n"
            f"ExecStart={sys.executable} {script} {result} \\\n  # a comment in between\n  {CASES[case]}\n"
        )

    unit.write_text(text(tmp_path / "theirs"))
    ours = tmp_path / "units" / name
    ours.parent.mkdir()
    ours.write_text(text(tmp_path / "ours"))
    try:
        subprocess.run(["systemctl", "--user", "daemon-reload"], check=True, timeout=WITHIN)
        subprocess.run(["systemctl", "--user", "start", name], check=True, timeout=WITHIN)
        sentinel.ok("import", ours, "--start")
        expected = json.loads((tmp_path / "theirs").read_text())
        assert eventually(lambda: json.loads((tmp_path / "ours").read_text())) == expected
    finally:
        unit.unlink()
        systemctl("daemon-reload")


@needs_user
def test_the_same_variables_arrive(sentinel: Sentinel, programs: Programs, tmp_path: Path) -> None:
    name = f"lab-{os.getpid()}-file.service"
    script = programs.path("env.py")
    script.write_text("import json,os,sys\nopen(sys.argv[1], 'w').write(json.dumps(dict(os.environ)))\n")
    (tmp_path / "first.env").write_text("A=1\nB=first\nC=first\n")
    (tmp_path / "last.env").write_text(FILE)
    unit = Path.home() / ".config/systemd/user" / name
    unit.parent.mkdir(parents=True, exist_ok=True)

    def text(result: Path) -> str:
        return (
            f"[Service]\nType=oneshot\nEnvironment=A=0 B=0 D=0\nEnvironmentFile={tmp_path}/first.env\n"
            f"EnvironmentFile=-{tmp_path}/missing\nEnvironmentFile={tmp_path}/last.env\n"
            f"ExecStart={sys.executable} {script} {result}\n"
        )

    unit.write_text(text(tmp_path / "theirs"))
    ours = tmp_path / "units" / name
    ours.parent.mkdir()
    ours.write_text(text(tmp_path / "ours"))
    try:
        subprocess.run(["systemctl", "--user", "daemon-reload"], check=True, timeout=WITHIN)
        subprocess.run(["systemctl", "--user", "start", name], check=True, timeout=WITHIN)
        sentinel.ok("import", ours, "--start")
        theirs = json.loads((tmp_path / "theirs").read_text())
        given = eventually(lambda: json.loads((tmp_path / "ours").read_text()))
    finally:
        unit.unlink()
        systemctl("daemon-reload")
    names = [*"ABCD", "PLAIN", "SPACED", "SINGLE", "DOUBLE", "BARE", "LONG", "QUOTED", "EMPTY", "LAST"]
    assert {key: given.get(key) for key in names} == {key: theirs.get(key) for key in names}
    assert theirs["A"] == "9"
