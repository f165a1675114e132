"""Files for other supervisors, read as those read them."""

import configparser
import plistlib
import shlex
import subprocess
from pathlib import Path

import pytest

from sentinel.errors import Unsupported
from sentinel.model import Group, HealthCheck, Limits, Restart, RestartPolicy
from sentinel.supervisor.export import launchd, procfile, supervisord, systemd
from sentinel.supervisor.export.job import Job, Options, Show, file_stem, hidden_note

ARGUMENTS = ["a b", "it's", 'say "hi"', "100%", "%(x)s", "$HOME", "\\", "a ; b", "a # b", "größe", "-x", "@y", ""]
ENV = {"PLAIN": "x", "SPACE": "a b", "QUOTE": 'a"b', "PERCENT": "50%", "SECRET": "hush", "UMLAUT": "größe"}
FILE = Options(Show.FILE, "user", Path("/out"))


def job(**fields: object) -> Job:
    return Job(**{"name": "web", "program": "/bin/prog", "arguments": list(ARGUMENTS), "cwd": "/srv/a b",
                  "env": dict(ENV), **fields})  # type: ignore[arg-type] # fmt: skip


def everything() -> Job:
    return job(
        user="www", restart=RestartPolicy(Restart.ON_FAILURE, 2.5, 3), health=HealthCheck("tcp", "localhost:80"),
        limits=Limits(5, "best-effort:3", 512, 1 << 20), startup_timeout=5.0, stop_timeout=7.5, stop_signal="RTMIN+1",
        group=Group("g", memory_max=1), on_failure="mail me",
    )  # fmt: skip


@pytest.mark.parametrize("format", [systemd, launchd, procfile, supervisord])
def test_values_of_variables_are_only_where_the_owner_alone_reads(format: object) -> None:
    made = format.files([job()], FILE)  # type: ignore[attr-defined]
    assert [one.secret for one in made if "hush" in one.text] == [True]
    hidden = job(given=frozenset(["SECRET"]))
    for one in format.files([hidden], Options(Show.HIDDEN, "user")):  # type: ignore[attr-defined]
        assert "hush" not in one.text
        assert "SECRET" in one.text
    shown = format.files([job()], Options(Show.PLAIN, "user"))  # type: ignore[attr-defined]
    assert "hush" in shown[0].text


def test_of_many_variables_those_that_were_given_are_named() -> None:
    env = {f"V{number}": "x" for number in range(1, 10)}
    assert hidden_note(job(env=env, given=frozenset(["V8", "V9"]))).endswith(": V8, V9, V1, V2, V3 and 4 more")
    assert hidden_note(job(env={"B": "1", "A": "2"})).endswith(": A, B")


@pytest.mark.parametrize("format", [systemd, launchd, procfile, supervisord])
def test_what_cannot_be_done_is_named(format: object) -> None:
    one = everything()
    text = format.files([one], FILE)[0].text  # type: ignore[attr-defined]
    for word in ("health check", "group g", "on-failure"):
        assert any(word in note for note in one.notes), one.notes
        assert word in text
    if format is not systemd:
        assert any("1048576" in note for note in one.notes)


def test_systemd_maps_policies_and_limits() -> None:
    lines = systemd.files([everything()], Options(Show.HIDDEN, "system"))[0].text.splitlines()
    for line in (
        *("User=www", "Restart=on-failure", "RestartSec=2.5s", "StartLimitBurst=4", "KillSignal=SIGRTMIN+1"),
        *("TimeoutStopSec=7.5s", "Nice=5", "IOSchedulingClass=best-effort", "IOSchedulingPriority=3"),
        *("LimitNOFILE=512", "MemoryMax=1048576", "WantedBy=multi-user.target", "WorkingDirectory=/srv/a b"),
    ):
        assert line in lines
    lines = systemd.files([everything()], FILE)[0].text.splitlines()
    assert not [line for line in lines if line.startswith("User=")]
    assert "EnvironmentFile=/out/web.env" in lines


def test_launchd() -> None:
    (made,) = launchd.files([everything()], FILE)
    found = plistlib.loads(made.text.encode())
    assert found["ProgramArguments"] == ["/bin/prog", *ARGUMENTS]
    assert found["EnvironmentVariables"] == ENV
    assert found["KeepAlive"] == {"SuccessfulExit": False}
    assert (found["Nice"], found["SoftResourceLimits"]) == (5, {"NumberOfFiles": 512})
    assert (found["Label"], made.name, found["WorkingDirectory"]) == ("local.web", "local.web.plist", "/srv/a b")
    odd = job(env={"ESC": "\x1b", "OK": "1"})
    assert plistlib.loads(launchd.files([odd], FILE)[0].text.encode())["EnvironmentVariables"] == {"OK": "1"}
    assert any("ESC" in note for note in odd.notes)
    with pytest.raises(Unsupported):
        launchd.files([job(arguments=["\x1b"])], FILE)


def test_supervisord() -> None:
    one = job(env={**ENV, "BOTH": "\"a' ", "LINE": "a\nb"})
    text = supervisord.files([one], FILE)[0].text
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(text)
    section = dict(parser["program:web"])
    assert shlex.split(section["command"].replace("%%", "%")) == ["/bin/prog", *ARGUMENTS]
    assert section["directory"] == "/srv/a b"
    for name, value in ENV.items():
        quote = "'" if '"' in value else '"'
        assert f"{name}={quote}{value.replace('%', '%%')}{quote}" in section["environment"]
    assert any("BOTH, LINE" in note for note in one.notes)
    with pytest.raises(Unsupported):
        supervisord.files([job(arguments=["a\nb"])], FILE)
    assert [line for line in supervisord.files([job(restart=RestartPolicy(Restart.ALWAYS))], FILE)[0].text.splitlines()
            if line.startswith("autorestart")] == ["autorestart=true"]  # fmt: skip


def test_a_line_of_a_procfile_does_what_the_process_did(tmp_path: Path) -> None:
    show = ["-c", 'pwd; printf "%s|" "$@"; printf "%s" "$QUOTE" "$LINE"', "sh"]
    place = tmp_path / "a b"
    place.mkdir()
    one = job(program="/bin/sh", arguments=[*show, *ARGUMENTS], cwd=str(place), env={**ENV, "LINE": "a\nb"})
    listing, variables = procfile.files([one], Options(Show.FILE, "user", tmp_path))
    (tmp_path / variables.name).write_text(variables.text)
    (line,) = [each for each in listing.text.splitlines() if not each.startswith("#")]
    name, _, command = line.partition(": ")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=240)
    assert name == "web"
    assert done.stdout == f"{place}\n{'|'.join(ARGUMENTS)}|{ENV['QUOTE']}a\nb"
    with pytest.raises(Unsupported):
        procfile.files([job(arguments=["a\nb"])], FILE)


def test_names_of_files() -> None:
    assert file_stem("web-1_x.y") == "web-1_x.y"
    assert file_stem("a@b+c") == "a\\x40b\\x2bc"
    assert len(file_stem("x" * 500)) <= 200
