"""Arguments, environment and directory: what a program is given."""

import os
import sys

from lab import Programs, Sentinel, eventually

NASTY = [
    "a b",
    "$HOME",
    "${HOME}",
    "$$",
    "%n",
    "%%",
    "'",
    '"',
    'it\'s "quoted"',
    "two\nlines",
    "tab\there",
    "grüße €",
    "",
    "\\",
    "\\n",
    "-x",
    "--name",
    "*",
    ";",
    "a;b|c&d",
    "#no",
    "~",
    "!",
    "`id`",
    "=",
    "A=B",
    " lead",
    "trail ",
    "@{x}",
]


def test_arguments_arrive_byte_for_byte(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "exact", "--", *programs.report("report", *NASTY))
    assert programs.reported()["argv"] == NASTY


def test_they_still_do_after_a_restart(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "exact", "--", *programs.report("report", *NASTY))
    programs.reported()
    programs.path("report").unlink()
    sentinel.ok("restart", "exact")
    assert programs.reported()["argv"] == NASTY


def test_one_word_with_shell_syntax_goes_to_the_shell(sentinel: Sentinel, programs: Programs) -> None:
    out = programs.path("out")
    sentinel.ok("run", f"echo one two > {out}; exec sleep 1000", "--name", "sh")
    sentinel.until("sh", status="running")
    assert eventually(out.read_text) == "one two\n"


def test_one_word_without_shell_syntax_is_executed_directly(sentinel: Sentinel, programs: Programs) -> None:
    command = " ".join(programs.steady())
    result = sentinel.ok("run", command, "--name", "direct")
    assert f"pid: {programs.pid()})" in result.out


def test_stronger_levels_of_the_environment_win(sentinel: Sentinel, programs: Programs) -> None:
    """Weakest first: shell, the home's .env, the directory's, group, its file, --env-file, --env, ports."""
    names = [f"LEVEL_{number}" for number in range(1, 9)]

    def file(level: int) -> str:
        return "".join(f"{name}={level}\n" for name in names[level - 1 :])

    def pairs(level: int) -> list[str]:
        return [word for name in names[level - 1 :] for word in ("--env", f"{name}={level}")]

    sentinel.home.mkdir(mode=0o700)
    (sentinel.home / ".env").write_text(file(2))
    (sentinel.cwd / ".env").write_text(file(3))
    group_file, own_file = programs.path("group.env"), programs.path("own.env")
    group_file.write_text(file(5))
    own_file.write_text(file(6))
    sentinel.ok("group", "create", "g", *pairs(4), "--env-file", group_file)
    sentinel.ok(
        "run",
        "--name",
        "env",
        "--group",
        "g",
        "--env-file",
        own_file,
        *pairs(7),
        "--port",
        "LEVEL_8=",
        "--",
        *programs.report(),
        env=dict.fromkeys(names, "1"),
    )
    seen = programs.reported()["env"]
    port = sentinel.status("env")["ports"]["LEVEL_8"]
    assert [seen[name] for name in names] == ["1", "2", "3", "4", "5", "6", "7", str(port)]


def test_the_environment_is_kept_until_captured_anew(sentinel: Sentinel, programs: Programs) -> None:
    def restarted(*options: str, value: str) -> str | None:
        programs.path("report").unlink(missing_ok=True)
        sentinel.ok("restart", "env", *options, env={"LAB_CAPTURED": value})
        found: str | None = programs.reported()["env"].get("LAB_CAPTURED")
        return found

    value = "first\nwith two lines and 'quotes' $HOME %n"
    sentinel.ok("run", "--name", "env", "--", *programs.report(), env={"LAB_CAPTURED": value})
    assert programs.reported()["env"]["LAB_CAPTURED"] == value
    assert restarted(value="second") == value
    assert restarted("--update-env", value="third") == "third"
    assert restarted(value="fourth") == "third"


def test_a_relative_env_file_is_found_from_anywhere(sentinel: Sentinel, programs: Programs) -> None:
    (sentinel.cwd / "my.env").write_text("export LAB_FILE='one'  # comment\n")
    sentinel.ok("run", "--name", "env", "--env-file", "my.env", "--", *programs.report())
    assert programs.reported()["env"]["LAB_FILE"] == "one"
    assert sentinel.status("env")["env_file"] == str(sentinel.cwd / "my.env")
    (sentinel.cwd / "my.env").write_text("LAB_FILE=two\n")
    programs.path("report").unlink()
    sentinel.ok("restart", "env", cwd=programs.directory)
    assert programs.reported()["env"]["LAB_FILE"] == "two"


def test_secrets_are_on_no_command_line_and_in_no_open_file(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "s", "--env", "LAB_SECRET=hush-hush", "--", *programs.report())
    assert programs.reported()["env"]["LAB_SECRET"] == "hush-hush"
    for path in sentinel.home.rglob("*"):
        if not path.is_symlink():
            assert path.stat().st_mode & 0o077 == 0, path
    assert sentinel.home.stat().st_mode & 0o077 == 0
    assert "hush-hush" not in sentinel.ok("list").out + sentinel.ok("status", "s").out


def test_the_directory(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "here", "--", *programs.report("here"))
    sentinel.ok("run", "--name", "there", "--cwd", programs.directory, "--", *programs.report("there"))
    assert programs.reported("here")["cwd"] == str(sentinel.cwd)
    assert programs.reported("there")["cwd"] == str(programs.directory)
    assert programs.reported("here")["stdin"] == "/dev/null"


def test_the_program_is_found_along_the_path_of_the_caller(sentinel: Sentinel, programs: Programs) -> None:
    script = programs.path("my-own-tool")
    script.write_text(f"#!/bin/sh\necho started > {programs.path('out')}\nexec sleep 1000\n")
    script.chmod(0o755)
    path = f"{programs.directory}{os.pathsep}{os.environ['PATH']}"
    sentinel.ok("run", "--name", "found", "--", "my-own-tool", env={"PATH": path})
    sentinel.ok("restart", "found")
    assert sentinel.status("found")["status"] == "running"


def test_it_runs_as_a_module_of_any_python(sentinel: Sentinel) -> None:
    assert sentinel.command()[0] == sys.executable
    assert sentinel.ok("--version").out.strip()
    assert "run" in sentinel.ok("--help").out
