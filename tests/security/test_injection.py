"""No name, command, directory or variable can add a line to a unit, nor a key to a property list."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import lab
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sentinel.errors import Unsupported
from sentinel.supervisor.export import launchd, systemd
from sentinel.supervisor.export.job import Job, Options, Show

PIECES = ["\n", "\r", "\\", "\\\n", "%", "%h", "%%", "$", "${HOME}", "$HOME", "$$", '"', "'", ";", "#", "=", " ", "\t",
          "[Service]", "ExecStartPre=/bin/evil", "User=root", "</string>", "<key>", "&", "]]>", "x", "größe",
          "\x1b[31m", "\x85", "\u2028", "\x7f", "-", "{{ evil }}", "{% raw %}"]  # fmt: skip
NASTY = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
KEYS = {"Description", "StartLimitIntervalSec", "Type", "WorkingDirectory", "ExecStart", "Environment", "KillSignal",
        "TimeoutStopSec", "WantedBy"}  # fmt: skip
USER = Options(Show.PLAIN, "user", None)


def _job(words: list[str], cwd: str, value: str, name: str) -> Job:
    return Job(name=name, program="/bin/true", arguments=words, cwd=f"/srv/{cwd}", env={"VALUE": value})


def _fuzz(check: Callable[[Job], None]) -> None:
    @settings(max_examples=100, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(st.lists(NASTY, max_size=4), NASTY, NASTY, NASTY)
    def run(words: list[str], cwd: str, value: str, name: str) -> None:
        try:
            check(_job(words, cwd, value, name))
        except Unsupported:  # it cannot be written there, and is refused
            with suppress(Unsupported):
                check(_job(words, "plain", value, "plain"))

    run()


def test_units_get_no_line_that_is_not_ours() -> None:
    def check(job: Job) -> None:
        text = systemd.files([job], USER)[0].text
        lines = [line for line in re.split(r"\r\n|\n|\r", text) if line and not line.startswith("#")]
        assert [line for line in lines if line.startswith("[")] == ["[Unit]", "[Service]", "[Install]"]
        keys = [line.partition("=")[0] for line in lines if not line.startswith("[")]
        assert set(keys) <= KEYS, text
        assert keys.count("ExecStart") == keys.count("WorkingDirectory") == 1
        assert not any(line.endswith("\\") for line in text.splitlines())

    _fuzz(check)


def test_systemd_itself_reads_them(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        lab.skip("systemd-analyze is not installed")
    made: list[Path] = []

    def check(job: Job) -> None:
        job.cwd = "/"
        path = tmp_path / f"fuzz-{len(made)}.service"
        path.write_text(systemd.files([job], USER)[0].text)
        made.append(path)

    _fuzz(check)
    argv = ["systemd-analyze", "--user", "verify", "--man=no", *map(str, made[:100])]
    env = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=2 * lab.WITHIN, check=False, env=env)
    about_ours = [line for line in done.stderr.splitlines() if "fuzz-" in line]
    assert not about_ours, about_ours[:5]


def test_property_lists_hold_the_words_as_they_are() -> None:
    def read(text: str) -> str:
        """XML knows one kind of line end."""
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def check(job: Job) -> None:
        found = plistlib.loads(launchd.files([job], USER)[0].text.encode())
        assert found["ProgramArguments"] == [job.program, *map(read, job.arguments)]
        assert found["WorkingDirectory"] == read(job.cwd)
        assert found.get("EnvironmentVariables", {"VALUE": read(job.env["VALUE"])}) == {"VALUE": read(job.env["VALUE"])}

    _fuzz(check)
