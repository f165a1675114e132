"""What other supervisors' files become: every option of them, and every mistake with its line."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sentinel.errors import UsageError
from sentinel.importing import detect, tables
from sentinel.importing.report import Imported, Source, Wanted
from sentinel.importing.unit_file import seconds, words
from sentinel.model import Restart, Spec

DOCS = Path(__file__).parents[2] / "docs/import.md"


def source(text: str, path: str = "/srv/app/file", **known: object) -> Source:
    return Source(text, path, path.rpartition("/")[2], **known)  # type: ignore[arg-type]


def parse(format: str, text: str, path: str = "/srv/app/file", **known: object) -> Imported:
    return detect.parse(source(text, path, **known), format)


def only(imported: Imported) -> Wanted:
    assert len(imported.wanted) == 1, imported
    return imported.wanted[0]


def verdicts(imported: Imported, title: int = 0) -> dict[str, str]:
    return {entry.option: entry.verdict.value for entry in imported.sections[title].entries}


def refused(format: str, text: str, path: str = "/srv/app/file", **known: object) -> str:
    with pytest.raises(UsageError) as error:
        parse(format, text, path, **known)
    return error.value.message


# --- which it is


@pytest.mark.parametrize(
    ("name", "text", "format"),
    [
        ("Procfile", "", "procfile"),
        ("Procfile.dev", "", "procfile"),
        ("x.service", "", "systemd"),
        ("ecosystem.config.js", "", "pm2"),
        ("dump.pm2", "[]", "pm2"),
        ("x.conf", "; hi\n[program:x]\ncommand=a\n", "supervisord"),
        ("unit", "[Unit]\n[Service]\n", "systemd"),
        ("apps", ' {"apps": []}', "pm2"),
        ("procs", "# hi\nweb: a\nb: c\n", "procfile"),
    ],
)
def test_the_format_is_found_by_name_or_content(name: str, text: str, format: str) -> None:
    assert detect.detect(f"/x/{name}", text) == format


def test_a_file_of_nobody_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot tell"):
        detect.detect("/x/notes", "hello world\n")


# --- Procfile


def test_procfile() -> None:
    text = "# the app\nweb: gunicorn app -b :$PORT\n\nworker-1: A=1 python w.py | cat\nrelease: ./migrate\n"
    found = parse("procfile", text, exists=lambda path: path == "/srv/app/.env")
    assert [(one.name, one.spec.argv, one.ports, one.line) for one in found.wanted] == [
        ("web", ["gunicorn app -b :$PORT"], ["PORT"], 2),
        ("worker-1", ["A=1 python w.py | cat"], [], 4),
    ]
    assert {one.spec.cwd for one in found.wanted} == {"/srv/app"}
    assert found.wanted[0].spec.restart.mode is Restart.ALWAYS
    assert verdicts(found) == {
        "command": "mapped", "restart": "approximated", "$PORT": "approximated", ".env": "mapped",
    }  # fmt: skip
    assert verdicts(found, 2) == {"release": "dropped"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web: a\nnonsense\n", "file:2: not a process"),
        ("web: a\n\nweb: b\n", "file:3: web is in line 1 already"),
        ("# nothing\n", "file: there is no process"),
        ("web:\n", "file:1: not a process"),
    ],
)
def test_a_bad_procfile(text: str, said: str) -> None:
    assert said in refused("procfile", text)


# --- supervisord

SUPERVISORD = """\
; a comment
[unix_http_server]
file=/run/supervisor.sock

[supervisord]
environment=COMMON="1",LEVEL=low

[program:web]
command=/usr/bin/web --port 80%(process_num)02d "a b" %(ENV_WHO)s 100%% ; inline
process_name=%(program_name)s_%(process_num)02d
numprocs=2
numprocs_start=1
directory=%(here)s/web
autorestart=true
startretries=5
environment=LEVEL="high, or so",
    OTHER='x'
user=www-data
stopsignal=QUIT
stopwaitsecs=25
priority=20
startsecs=4
umask=022
stopasgroup=true
stdout_logfile=/var/log/web.log
stdout_logfile_maxbytes=50MB
stderr_logfile_maxbytes=20MB
stdout_logfile_backups=7
redirect_stderr=true
colour=blue

[program:worker]
command=sleep 100
autostart=false
priority=10
exitcodes=0,2

[program:odd]
command=one
process_name=%(process_num)s
autorestart=no

[group:all]
programs=web, worker
"""


def test_supervisord_programs() -> None:
    found = parse("supervisord", SUPERVISORD, environ={"WHO": "me"})
    assert [one.name for one in found.wanted] == ["worker", "web_01", "web_02", "odd-0"]
    assert found.wanted[0].spec.cwd == "/srv/app"
    assert only(parse("supervisord", "[program:x]\ncommand=a\n", "/etc/x.conf")).spec.cwd == "/"
    assert found.groups == {"all": 43}
    web = found.wanted[1].spec
    assert web == Spec(
        ["/usr/bin/web", "--port", "8001", "a b", "me", "100%"],
        "/srv/app/web",
        user="www-data",
        group="all",
        env={"COMMON": "1", "LEVEL": "high, or so", "OTHER": "x"},
        restart=web.restart,
        logs=web.logs,
        stop_signal="QUIT",
        stop_timeout=25.0,
    )
    assert (web.restart.mode, web.restart.max_restarts) == (Restart.ALWAYS, 5)
    assert (web.logs.max_size, web.logs.backups) == (50 << 20, 7)
    worker = found.wanted[0]
    assert (worker.start, worker.spec.restart.mode, worker.spec.group) == (False, Restart.ON_FAILURE, "all")
    assert found.wanted[3].spec.restart.mode is Restart.NO
    assert found.wanted[3].spec.argv == ["one"]


def test_supervisord_report() -> None:
    found = parse("supervisord", SUPERVISORD, environ={"WHO": "me"})
    by_title = {section.title: section for section in found.sections}
    web = {entry.option: entry for entry in by_title["program:web"].entries}
    assert {option for option in web if web[option].verdict == "dropped"} == {"umask", "stdout_logfile", "colour"}
    approximated = {option for option in web if web[option].verdict == "approximated"}
    assert approximated == {"startretries", "priority", "startsecs", "redirect_stderr"}
    assert web["environment"].value == "LEVEL, OTHER"  # no value of a variable is shown
    assert web["user"].line == 18
    assert "high" not in str(found.sections[0].entries)
    worker = {entry.option: entry.verdict.value for entry in by_title["program:worker"].entries}
    assert worker == {
        "command": "mapped", "autostart": "mapped", "priority": "approximated",
        "exitcodes": "dropped", "autorestart": "approximated", "directory": "approximated",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[program:x]\n\nnonsense\n", "file:3: neither a [section] nor an option"),
        ("[program:x]\ncommand=a\nnumprocs=2\n", "file:3: numprocs needs %(process_num)"),
        ("[program:x]\ncommand=a\nstopsignal=NOPE\n", "file:3: stopsignal: not a valid signal"),
        ("[program:x]\ncommand=a 'b\n", "file:2: command: no closing quotation"),
        ("[program:x]\ncommand=%(nope)s\n", "file:2: command: %(nope)s is not known"),
        ("[program:x]\ncommand=date +%s\n", "file:2: command: a % alone"),
        ("[program:x]\ncommand=a\nautorestart=maybe\n", "file:3: autorestart is neither true nor false"),
        ("[program:x]\ncommand=a\nenvironment=A=1,2B\n", "file:3: environment: not a variable: '2B'"),
        ("[program:x]\ndirectory=/\n", "file:1: program x has no command"),
        ("[program:x]\ncommand=a\n[group:g]\nprograms=x,y\n", "file:4: no program named y"),
        ("[program:x]\ncommand=a\n[group:g]\nprograms=x\n[group:h]\nprograms=x\n", "file:6: x is in group g already"),
        ("[include]\nfiles=conf.d/*.conf\n", "file: there is no [program:x]"),
    ],
)
def test_a_bad_supervisord_conf(text: str, said: str) -> None:
    assert said in refused("supervisord", text)


# --- pm2


def test_pm2_ecosystem() -> None:
    app = {
        "name": "my api", "script": "app.js", "args": ["-p", "a b"], "cwd": "api", "instances": 2,
        "exec_mode": "cluster", "node_args": "--trace", "env": {"PORT": 3000, "DEBUG": True, "S": "x"},
        "env_production": {"S": "y"}, "increment_var": "PORT", "max_memory_restart": "300M",
        "watch": True, "kill_timeout": 3000, "max_restarts": 4,
        "restart_delay": 250, "namespace": "shop", "merge_logs": False, "colour": "blue",
    }  # fmt: skip
    text = json.dumps({"apps": [app], "deploy": {}}, indent=1)
    found = detect.parse(source(text), "pm2", "production")
    assert [one.name for one in found.wanted] == ["my-api-1", "my-api-2"]
    first, second = (one.spec for one in found.wanted)
    assert first.argv == ["node", "--trace", "app.js", "-p", "a b"]
    assert (first.cwd, first.group, list(found.groups)) == ("/srv/app/api", "shop", ["shop"])
    assert first.env == {"PORT": "3000", "DEBUG": "true", "S": "y", "NODE_APP_INSTANCE": "0"}
    assert (second.env["PORT"], second.env["NODE_APP_INSTANCE"]) == ("3001", "1")
    assert (first.stop_signal, first.stop_timeout, first.limits.memory_max) == ("INT", 3.0, 300 << 20)
    assert (first.restart.mode, first.restart.max_restarts, first.restart.delay) == (Restart.ALWAYS, 4, 0.25)
    told = verdicts(found)
    assert {option for option, verdict in told.items() if verdict == "dropped"} == {"watch", "colour"}
    assert (told["name"], told["env_production"], told["exec_mode"]) == ("approximated", "mapped", "approximated")
    lines = {entry.option: entry.line for entry in found.sections[0].entries}
    assert text.splitlines()[(lines["watch"] or 0) - 1].strip() == '"watch": true,'
    assert lines["autorestart"] is None
    assert verdicts(found, 1) == {"deploy": "dropped"}


@pytest.mark.parametrize(
    ("app", "argv"),
    [
        ({"script": "w.py"}, ["python3", "w.py"]),
        ({"script": "./run"}, ["./run"]),
        ({"script": "npm", "args": "run 'a b'"}, ["npm", "run", "a b"]),
        ({"script": "npm start"}, ["npm", "start"]),
        ({"script": "x.js", "interpreter": "none"}, ["x.js"]),
        ({"script": "x", "interpreter": "bash", "interpreter_args": "-x"}, ["bash", "-x", "x"]),
    ],
)
def test_pm2_commands(app: dict[str, str], argv: list[str]) -> None:
    found = only(parse("pm2", json.dumps([{"name": "a", **app}]), exists=lambda path: False))
    assert found.spec.argv == argv


@pytest.mark.parametrize(("given", "count"), [("max", 4), (0, 4), (-1, 3), (-9, 1), (3, 3)])
def test_pm2_instances(given: object, count: int) -> None:
    text = json.dumps({"apps": [{"script": "a.js", "instances": given}]})
    assert len(parse("pm2", text, cpus=4).wanted) == count


def test_pm2_dump() -> None:
    def entry(number: int, status: str) -> dict[str, object]:
        env = {"HOME": "/home/u", "PM2_HOME": "/x", "name": "web", "A": "1", "web": "{}", "BASH_FUNC_x%%": "()"}
        return {
            "name": "web", "pm_exec_path": "/srv/web/app.js", "pm_cwd": "/srv/web", "exec_interpreter": "node",
            "args": [], "node_args": [], "instances": 2, "NODE_APP_INSTANCE": number, "kill_timeout": 1600, "A": "1",
            "env": env, "status": status, "autorestart": True, "max_restarts": 16, "exec_mode": "fork_mode",
            "pm_out_log_path": "/home/u/.pm2/logs/web-out.log", "pm_uptime": 1, "unique_id": "x",
            "namespace": "default",
        }  # fmt: skip

    found = parse("pm2", json.dumps([entry(0, "online"), entry(1, "stopped")]))
    assert [(one.name, one.start) for one in found.wanted] == [("web-1", True), ("web-2", False)]
    spec = found.wanted[1].spec
    assert (spec.argv, spec.cwd) == (["node", "/srv/web/app.js"], "/srv/web")
    assert spec.env == {"HOME": "/home/u", "A": "1", "NODE_APP_INSTANCE": "1"}
    assert spec.restart.max_restarts is None
    assert "A" not in verdicts(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"apps": [\n{"script": "a.js",}]}', "file:2: not JSON"),
        ("{}", "file:1: app  has no script"),
        ('{"apps": []}', "file: there are no apps"),
        ('{"apps": [\n{"script": "a.js",\n"kill_timeout": "soon"}]}', "file:3: kill_timeout: not a valid time"),
        ('{"apps": [\n{"script": "a.js",\n"env": {\n"1A": 1}}]}', "file:4: env: not a variable name"),
        ('{"apps": [{"script": "a.js", "autorestart": "yes"}]}', "file:1: autorestart is neither true nor false"),
        ('{"apps": [{"script": {}}]}', "file:1: script is not a text"),
    ],
)
def test_a_bad_ecosystem_file(text: str, said: str) -> None:
    assert said in refused("pm2", text).replace("'' cannot be the name of a process", "app  has no script")


# --- systemd

UNIT = """\
[Unit]
Description=The web
After=network.target
StartLimitBurst=7
# comment
[Service]
Type=simple
User=%i
WorkingDirectory=/srv/%p
Environment=A=1 "B=two words" \\
    'C=%i' D=50%%
Environment=A=2
EnvironmentFile=-/etc/missing
EnvironmentFile=/etc/web.env
ExecStart=/usr/bin/web "--name=%n" 'single "x"' \\x41\\s\\x42 $$HOME 100%%
Restart=always
RestartSec=1500ms
TimeoutStopSec=1min 30s
KillSignal=SIGQUIT
KillMode=mixed
Nice=-5
IOSchedulingClass=best-effort
IOSchedulingPriority=2
LimitNOFILE=1024:4096
MemoryMax=1.5G
CPUQuota=50%
StandardOutput=append:/var/log/web.log
PrivateTmp=yes
X-Mine=1
Colour=blue
[Install]
WantedBy=multi-user.target
"""


def test_a_service() -> None:
    found = parse("systemd", UNIT, "/etc/systemd/system/web@bob.service", exists=lambda path: "missing" not in path)
    one = only(found)
    spec = one.spec
    assert one.name == "web@bob"
    assert spec.argv == ["/usr/bin/web", "--name=web@bob.service", 'single "x"', "A B", "$HOME", "100%"]
    assert (spec.cwd, spec.user, spec.env_file) == ("/srv/web", "bob", "/etc/web.env")
    assert spec.env == {"A": "2", "B": "two words", "C": "bob", "D": "50%"}
    assert (spec.restart.mode, spec.restart.delay, spec.restart.max_restarts) == (Restart.ALWAYS, 1.5, 7)
    assert (spec.stop_timeout, spec.stop_signal, spec.logs.kind) == (90.0, "QUIT", "file")
    limits = spec.limits
    assert (limits.nice, limits.ionice, limits.nofile) == (-5, "best-effort:2", 4096)
    assert limits.memory_max == 3 << 29
    told = verdicts(found)
    assert {option for option, verdict in told.items() if verdict == "dropped"} == {
        "Description", "After", "CPUQuota", "PrivateTmp", "Colour",
    }  # fmt: skip
    assert (told["KillMode"], told["WantedBy"], told["ExecStart"]) == ("approximated", "approximated", "mapped")
    assert "X-Mine" not in told
    assert {entry.option: entry.line for entry in found.sections[0].entries}["Environment"] == 12


def service(start: str, more: str = "") -> str:
    return f"[Service]\nExecStart={start}\n{more}"


@pytest.mark.parametrize(
    "start",
    [
        "/usr/bin/printf '<%%s>' ${A}x $B ${B} 'it''s' $$A ${A}$$ a$A",
        "/usr/bin/printf '<%%s>' \"${B}*\" $B",
        "-/usr/bin/printf '<%%s>' * ~ $A",
    ],
)
def test_variables_are_replaced_as_systemd_does(start: str) -> None:
    """The same words as systemd 252 has given for these."""
    expected = {
        "'it''s'": "<1x><two><words><two   words><its><$A><1$><a$A>",
        '"${B}*"': "<two   words*><two><words>",
        "* ~ $A": "<*><~><1>",
    }
    found = only(parse("systemd", service(start, "Environment=A=1 'B=two   words'\n"), "/x/p.service"))
    assert len(found.spec.argv) == 1
    done = subprocess.run(["/bin/sh", "-c", found.spec.argv[0]], env=found.spec.env, capture_output=True, check=True)
    assert done.stdout.decode() == next(text for mark, text in expected.items() if mark in start)


def test_a_service_that_says_when_it_is_ready() -> None:
    text = service("/bin/a", "Type=notify\nTimeoutSec=20\n")
    spec = only(parse("systemd", text, "/x/a.service")).spec
    assert (spec.startup_timeout, spec.stop_timeout, spec.argv, spec.cwd) == (20.0, 20.0, ["/bin/a"], "/")
    assert only(parse("systemd", service("/bin/a"), "/h/systemd/user/a.service", home="/h")).spec.cwd == "/h"


def test_lists_are_emptied_and_several_limits_given_up() -> None:
    more = "ExecStart=\nExecStart=:/bin/b $A\nEnvironment=A=1\nEnvironment=\nStartLimitIntervalSec=0\n"
    text = service("/bin/a", more)
    found = only(parse("systemd", text, "/x/a.service"))
    assert (found.spec.argv, found.spec.env, found.spec.restart.max_restarts) == (["/bin/b", "$A"], {}, None)


def test_files_of_variables() -> None:
    """The last one is read at every start, but for what dotenv reads otherwise; it is stronger than Environment=."""
    files = {"/a": "A=a\nB=a\n", "/b": "B=b\nC=\"x \\$Y\"\nD='d e'\n"}
    text = service("/bin/x", "Environment=A=0 B=0 E=0\nEnvironmentFile=/a\nEnvironmentFile=-/c\nEnvironmentFile=/b\n")
    found = parse("systemd", text, "/x/x.service", exists=lambda path: path in files, read=files.get)
    spec = only(found).spec
    assert (spec.env_file, spec.env) == ("/b", {"A": "a", "E": "0", "C": "x $Y"})
    told = [entry.verdict.value for entry in found.sections[0].entries if entry.option == "EnvironmentFile"]
    assert told == ["approximated", "dropped", "approximated"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[Service]\nnonsense\n", "x.service:2: neither a [Section] nor a setting"),
        (service("/bin/a", "Type=forking\n"), "x.service:3: a service of Type=forking"),
        (service("/bin/a 'b"), "x.service:2: a quote is never closed"),
        (service("/bin/a ; /bin/b"), "x.service:2: several commands"),
        (service("/bin/a", "ExecStart=/bin/b\n"), "x.service:3: several ExecStart= lines"),
        (service("/bin/a %q"), "x.service:2: the specifier %q is not known"),
        (service("/bin/a", "Nice=99\n"), "x.service:3: Nice: not a valid nice"),
        (service("/bin/a", "\n# c\nRestart=often\n"), "x.service:5: no such Restart"),
        (service("/bin/a", "TimeoutStopSec=soon\n"), "x.service:3: TimeoutStopSec: not a span of time"),
        (service("/bin/a", "Environment=1A=2\n"), "x.service:3: Environment: not a variable name"),
        ("[Service]\nType=simple\n", "x.service: there is no ExecStart="),
    ],
)
def test_a_bad_service(text: str, said: str) -> None:
    assert said in refused("systemd", text, "/etc/x.service")


def test_a_template_needs_an_instance() -> None:
    assert "template" in refused("systemd", service("/bin/a %i"), "/etc/x@.service")


def test_spans_and_words() -> None:
    one = source("")
    spans = {"5": 5, "1h 2min": 3720, "200ms": 0.2, "1.5s": 1.5, "2d": 172800, "10us": 1e-5}
    for text, expected in spans.items():
        assert seconds(one, text, 1, "x") == pytest.approx(expected)
    assert seconds(one, "infinity", 1, "x") is None
    assert [word for word, _ in words(one, r""" a "b c"'d' "" \u00e9 \101 """, 1)] == ["a", "b cd", "", "é", "A"]


# --- the documentation


def test_the_tables_of_the_documentation_are_those_of_the_code() -> None:
    text = DOCS.read_text()
    assert all(f"<!-- table: {name} -->" in text for name in tables.TABLES)
    assert text == tables.refreshed(text), "python -c 'from sentinel.importing import tables; …refreshed'"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_spans_are_read_as_systemd_does() -> None:
    for text in ("1min 30s", "1500ms", "2h", "5"):
        said = subprocess.run(["systemd-analyze", "timespan", text], capture_output=True, text=True, check=True).stdout
        micro = next(line for line in said.splitlines() if "s:" in line).split()[-1]
        assert seconds(source(""), text, 1, "x") == pytest.approx(int(micro) / 1e6)
