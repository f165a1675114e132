"""`import`: the processes of another supervisor's file, all of them or none."""

import json
import shutil
from pathlib import Path

import pytest
from lab import Programs, Sentinel, eventually


def write(sentinel: Sentinel, name: str, text: str) -> Path:
    path = sentinel.cwd / name
    path.write_text(text)
    return path


def test_a_supervisord_conf_becomes_running_processes(sentinel: Sentinel, programs: Programs) -> None:
    report = " ".join(programs.report())
    write(
        sentinel,
        "supervisord.conf",
        f"[program:web]\ncommand={report}\nprocess_name=%(program_name)s_%(process_num)d\nnumprocs=1\n"
        f'environment=LAB_A="a b",LAB_B=%(program_name)s\nstopwaitsecs=33\nautorestart=true\n'
        "[program:later]\ncommand=sleep 1000\nautostart=false\npriority=5\n"
        "[group:all]\nprograms=web,later\n",
    )
    dry = sentinel.ok("import", "supervisord.conf", "--dry-run", "--json").json()
    assert dry["dry_run"] is True
    assert dry["processes"] == []
    assert [section["processes"] for section in dry["sections"]] == [["web_0"], ["later"], []]
    assert not sentinel.home.exists() or sentinel.list() == []
    made = sentinel.ok("import", "supervisord.conf", "--start", "--json").json()
    assert {one["name"]: one["pid"] is not None for one in made["processes"]} == {"later": False, "web_0": True}
    seen = programs.reported()
    assert (seen["env"]["LAB_A"], seen["env"]["LAB_B"]) == ("a b", "web")
    status = sentinel.until("web_0", status="running")
    assert (status["group"], status["restart_policy"], status["cwd"]) == ("all", "always", str(sentinel.cwd))
    assert sentinel.status("later")["status"] == "stopped"
    sentinel.ok("start", "later")
    sentinel.until("later", status="running")


def test_without_start_they_are_created_stopped(sentinel: Sentinel, programs: Programs) -> None:
    write(sentinel, "Procfile", "web: exec sleep 1000 $PORT\nworker: sleep 1000\n")
    said = sentinel.ok("import", "Procfile")
    assert "approximated" in said.out
    assert [(one["name"], one["status"], one["pid"]) for one in sentinel.list()] == [
        ("web", "stopped", None),
        ("worker", "stopped", None),
    ]
    assert sentinel.status("web")["ports"].keys() == {"PORT"}
    assert sentinel.status("worker")["restart_policy"] == "always"
    events = sentinel.ok("events", "web", "--json").out.splitlines()
    assert [json.loads(line)["event"] for line in events] == ["created"]
    sentinel.ok("startall")
    assert {one["status"] for one in sentinel.list()} == {"running"}


def test_nothing_is_touched_when_anything_is_wrong(native: Sentinel) -> None:
    native.ok("run", "sleep 1000", "--name", "Web")
    before = native.home.joinpath("state.json").read_bytes()
    cases = {
        "a: sleep 1\nweb: sleep 1\n": (1, "Procfile:2: the name web differs only by case"),
        "a: sleep 1\nnonsense\n": (2, "Procfile:2: not a process"),
        "a: sleep 1\nA: sleep 1\n": (2, "Procfile:2: the name A is there twice, as in line 1"),
    }
    for text, (code, said) in cases.items():
        write(native, "Procfile", text)
        assert said in native.fails(code, "import", "Procfile", "--start").err
    write(native, "x.service", "[Service]\nExecStart=/bin/sleep 1000\nWorkingDirectory=/nowhere/at/all\n")
    assert "x.service:2: x: no such directory" in native.fails(1, "import", "x.service").err
    write(native, "y.service", "[Service]\nExecStart=/bin/sleep 1000\nEnvironmentFile=/nowhere\n")
    assert "no such environment file" in native.fails(1, "import", "y.service").err
    write(native, "z.service", "[Service]\nExecStart=/bin/sleep 1000\nUser=nobody-of-that-name\n")
    assert "no such user" in native.fails(1, "import", "z.service").err
    assert "cannot tell" in native.fails(2, "import", write(native, "notes", "hello\n")).err
    assert "cannot read" in native.fails(2, "import", "missing").err
    assert native.home.joinpath("state.json").read_bytes() == before
    assert [one["name"] for one in native.list()] == ["Web"]


def test_a_service_behaves_as_its_unit_says(sentinel: Sentinel, programs: Programs) -> None:
    words = programs.report()
    command = " ".join(f'"{word}"' for word in words)
    write(sentinel, "vars.env", "LAB_FILE=yes\n")
    write(
        sentinel,
        "web@blue.service",
        f"[Service]\nExecStart={command} \"a  b\" ${{LAB_X}}y %i\nEnvironment=LAB_X=1 'LAB_Y=%p 50%%'\n"
        f"EnvironmentFile={sentinel.cwd}/vars.env\nWorkingDirectory={sentinel.cwd}\nRestart=on-failure\n"
        "KillSignal=SIGINT\nNice=3\n",
    )
    sentinel.ok("import", "web@blue.service", "--start")
    seen = programs.reported()
    assert seen["argv"][-3:] == ["a  b", "1y", "blue"]
    assert (seen["env"]["LAB_Y"], seen["env"]["LAB_FILE"]) == ("web 50%", "yes")
    assert sentinel.status("web@blue")["restart_policy"] == "on-failure"


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_file_in_javascript_is_run_only_when_asked(native: Sentinel, programs: Programs) -> None:
    mark = native.cwd / "ran"
    code = f"require('fs').writeFileSync({json.dumps(str(mark))}, '');\nconsole.log('noise');\n"
    write(native, "ecosystem.config.js", code + "module.exports = {apps: [{name: 'x', script: 'sleep 1000'}]};\n")
    said = native.fails(2, "import", "ecosystem.config.js").err
    assert "--run-node" in said
    assert not mark.exists()
    native.ok("import", "ecosystem.config.js", "--run-node")
    assert mark.exists()
    assert native.status("x")["command"] == "sleep 1000"
    write(native, "broken.config.js", "throw new Error('no luck');\n")
    assert "no luck" in native.fails(2, "import", "broken.config.js", "--run-node").err


def test_what_cannot_be_started_is_told(native: Sentinel) -> None:
    write(native, "Procfile", "a: no-such-program-here\nb: sleep 1000\n")
    result = native("import", "Procfile", "--start")
    assert result.code == 1
    assert "no such program" in result.err
    assert {one["name"]: one["status"] for one in native.list()} == {"a": "failed", "b": "running"}
    eventually(lambda: native.status("b")["pid"])
