"""What arrives at a program: every byte of its arguments and its environment, and nothing else."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from systemd_bench import DEADLINE, Bench, eventually, systemctl

from sentinel.backends.systemd.environment import SYSTEMD_OWN
from sentinel.backends.systemd.naming import identifier
from sentinel.model import Group, LogSettings

REPORT = (
    "import json,os,sys\n"
    "out={'argv':sys.argv[2:],'env':{k.hex():v.hex() for k,v in os.environb.items()},'cwd':os.getcwd(),"
    "'in':os.readlink('/proc/self/fd/0')}\n"
    "out['raw']=open('/proc/self/cmdline','rb').read().hex()\n"
    "open(sys.argv[1]+'.new','w').write(json.dumps(out));os.rename(sys.argv[1]+'.new',sys.argv[1])\n"
)
NASTY = [
    "",
    " ",
    "two words",
    "$HOME ${HOME} $$ $",
    "%n %% %i",
    "back\\slash \\",
    "'single' \"double\"",
    "`id` $(id)",
    "tab\tnewline\n\n",
    "#hash ;semi",
    "é ü 日本 😀",
    "a=b=c",
    "~",
    "*?[x]",
    "\\n\\t\\x41",
    " lead and trail ",
    "-v",
    "--",
]
BEYOND = ["\x1b[31mred\x1b[0m", "cr\r\n", "\x01\x7f", "\udcff\udcfe", "nonchar \ufffe"]
OWN = SYSTEMD_OWN | {"LC_CTYPE", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "SHLVL", "_", "OLDPWD"}


def report(bench: Bench, arguments: list[str], env: dict[str, str], **spec: object) -> dict[str, object]:
    target = bench.directory / "report.json"
    record = bench.record("byte-exact", **spec)
    bench.start(bench.python(record, REPORT, str(target), *arguments, env=env))
    eventually(target.exists)
    found: dict[str, object] = json.loads(target.read_text())
    return found


def decoded(found: object) -> dict[str, str]:
    assert isinstance(found, dict)
    return {os.fsdecode(bytes.fromhex(k)): os.fsdecode(bytes.fromhex(v)) for k, v in found.items()}


@pytest.mark.parametrize("kind", ["journal", "file"])
@pytest.mark.parametrize("beyond", [False, True], ids=["environment-file", "script"])
def test_every_byte_arrives(bench: Bench, kind: str, beyond: bool) -> None:
    values = NASTY + (BEYOND if beyond else [])
    env = {
        "PATH": "/usr/bin:/bin",
        **{f"V{at}": value for at, value in enumerate(values)},
        "big": "x" * 100_000,
    }
    if beyond:
        env["BASH_FUNC_greet%%"] = "() {  echo hi\n}"
    found = report(bench, values, env, logs=LogSettings(kind=kind))
    words = [os.fsdecode(word) for word in bytes.fromhex(str(found["raw"])).split(b"\0")][:-1]
    assert words[:4] == [sys.executable, "-I", "-S", "-c"]
    assert words[6:] == values
    got = decoded(found["env"])
    assert {name: value for name, value in got.items() if name in env} == env
    assert got.keys() - env.keys() <= OWN
    assert found["cwd"] == str(bench.directory)
    assert found["in"] == "/dev/null"


def test_what_is_systemds_own_is_not_taken_from_the_captured_environment(bench: Bench) -> None:
    env = {"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": "/other", "INVOCATION_ID": "theirs", "LISTEN_FDS": "3"}
    got = decoded(report(bench, [], env)["env"])
    assert "NOTIFY_SOCKET" not in got
    assert "LISTEN_FDS" not in got
    assert got["INVOCATION_ID"] != "theirs"


def test_secrets_are_in_no_property_and_no_readable_file(bench: Bench) -> None:
    record = bench.record("secretive")
    for beyond in ("", "\x1b"):
        env = {"PATH": "/usr/bin:/bin", "TOKEN": "hunter2" + beyond}
        bench.start(bench.launch(record, ["/bin/sleep", "1000"], env=env))
        assert "hunter2" not in systemctl("show", record.unit or "")
        assert "hunter2" not in systemctl("cat", record.unit or "")
        holding = [path for path in bench.home.root.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
        assert len(holding) == 1
        assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
        assert bench.backend.stop([record]) == {record.id: None}


def test_argv_0_is_kept_where_it_leads_to_the_same_program(bench: Bench) -> None:
    record = bench.record("named")
    started = bench.start(bench.launch(record, ["sleep", "1000"], program="/bin/sleep", env={"PATH": "/bin"}))
    assert Path(f"/proc/{started.pid}/cmdline").read_bytes() == b"sleep\x001000\x00"


def test_stdout_and_stderr_stay_apart_in_the_journal(bench: Bench) -> None:
    record = bench.record("talker")
    bench.start(bench.sh(record, "echo to-out; echo to-err >&2; exec sleep 1000"))

    def lines() -> dict[str, str]:
        command = ["journalctl", "-q", "-o", "json", "-t", identifier("talker", bench.home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return {row["MESSAGE"]: row["PRIORITY"] for row in rows}

    eventually(lambda: len(lines()) >= 2)
    assert lines() == {"to-out": "6", "to-err": "4"}


def test_an_administrator_finds_the_way_back(bench: Bench) -> None:
    record = bench.record("web-1", group="back end")
    bench.backend.apply_group(Group("back end"))
    bench.start(bench.launch(record, ["/bin/sleep", "1000"]))
    shown = systemctl("show", record.unit or "", "-p", "Description,Documentation,Slice")
    assert f"sentinel: web-1 (id {record.id}, group back end)" in shown
    assert "man:sentinel(1)" in shown
    bench.backend.stop([record])
    bench.backend.remove_group("back end")
