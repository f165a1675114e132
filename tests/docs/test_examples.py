"""Every console example of the README and of docs/ does what it shows.

A fenced `console` block holds commands (`$ …`) and, where the page shows it, what they print. The examples of a page
run in order, in one private home, in a directory with the few files that they speak of. Numbers may differ.
`<!-- not run: REASON -->` before a block takes it out; a line `...` stands for any lines.
"""

from __future__ import annotations

import getpass
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import lab
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in (ROOT / "README.md", *ROOT.glob("docs/*.md")) if path.exists())

WORK, USER_HOME, USER = "/home/ada/app", "/home/ada", "ada"  # as the pages call them

# Other people's programs: their work is not ours to show, or another test does it.
FOREIGN = re.compile(r"(sudo |uv (tool|sync|venv|pip)|uv run (pytest|ruff|mypy|python)|pipx|pip|npm|pm2|brew|apt|git|"
                     r"systemctl|journalctl|systemd-|loginctl|launchctl|supervisorctl|tmux)\b")
ELSEWHERE = re.compile(r"--(backend|to)[ =]systemd\b|\bstartup (install|uninstall|status|print)\b")  # in the test bed
STAYS = re.compile(r"\s(--follow|-f|--watch)\b|\bdaemon run\b|\bsentinel top\b")

FILES = {
    "app.py": """\
import http.server, os
print("app listens", flush=True)
address = ("127.0.0.1", int(os.environ.get("PORT", 0)))
http.server.HTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
""",
    "worker.py": "import time\nprint('worker ready', flush=True)\nwhile True: time.sleep(1000)\n",
    "crash.py": "import sys\nsys.exit('out of cheese')\n",
    "common.env": "COLOUR=green\n",
    "Procfile": "clock: sleep 1000000\nmailer: sleep 1000000\n",
    "supervisord.conf": "[program:indexer]\ncommand=sleep 1000000\nautorestart=true\n",
    "ecosystem.json": '{"apps": [{"name": "shop", "script": "sleep", "args": "1000000", "interpreter": "none"}]}',
    "bin/npm": "#!/bin/sh\necho listening on 3000\nexec sleep 1000000\n",
    "bin/sentinel": f'#!/bin/sh\nexec "{sys.executable}" -m sentinel "$@"\n',
}


@dataclass(slots=True)
class Example:
    page: Path
    line: int
    command: str
    expected: list[str] = field(default_factory=list)
    reason: str = ""  # why it is not run

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: $ {self.command}"


def examples(page: Path) -> Iterator[Example]:
    reason, inside = "", False
    example: Example | None = None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if first := re.fullmatch(r"<!-- first: (.+) -->", line.strip()):
            yield Example(page, number, first[1])  # what the page takes for granted
        if not inside:
            inside = line.strip() == "```console"
            if directive := re.fullmatch(r"<!-- not run: (.+) -->", line.strip()):
                reason = directive[1]
            elif line.strip() and not inside:
                reason = ""
        elif line.strip() == "```":
            if example:
                yield example
            inside, reason, example = False, "", None
        elif example and example.command.endswith("\\") and not example.expected:
            example.command = example.command[:-1] + line.strip().removeprefix(">").strip()
        elif line.startswith("$ "):
            if example:
                yield example
            example = Example(page, number, line[2:].strip(), reason=reason or not_ours(line[2:]))
        elif example:
            example.expected.append(line)


def not_ours(command: str) -> str:
    if FOREIGN.match(command):
        return "another program's work"
    if ELSEWHERE.search(command):
        return "needs a service manager"
    if command.startswith("#"):
        return "only a remark"
    return ""


# --- running them -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Reader:
    """Somebody who types the examples of one page."""

    sentinel: lab.Sentinel
    files: Path
    ports: dict[str, str] = field(default_factory=dict)
    code: int = 0

    def prepare(self) -> None:
        for name, text in FILES.items():
            path = (self.files if name.startswith("bin/") else self.sentinel.cwd) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        (self.files / "home").mkdir()

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.files / "bin"), os.path.dirname(lab.PYTHON), os.environ["PATH"]])
        return {**self.sentinel.environment(), "PATH": path, "HOME": str(self.files / "home"), "PYTHONPATH": str(ROOT)}

    def type(self, example: Example) -> str:
        """Run one; what it printed, on either stream."""
        command = example.command.removeprefix("uv run ").replace(WORK, str(self.sentinel.cwd))
        command = re.sub(rf"({USER_HOME}|~)/\.sentinel", str(self.sentinel.home), command)
        command = re.sub(r"\b[89][0-9]{3}\b", lambda found: self.port(found[0]), command)
        if command.partition("#")[0].strip() == "echo $?":
            code, self.code = self.code, 0
            return f"{code}\n"
        ours = command.partition(" -- ")[0]  # what comes after belongs to the process
        return self.interrupt(command) if STAYS.search(ours) else self.finish(command)

    def finish(self, command: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", command], env=self.environment(), cwd=self.sentinel.cwd, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
        )
        self.code = done.returncode
        return done.stdout.decode(errors="replace")

    def interrupt(self, command: str) -> str:
        """Ctrl-C, once it has said something."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", "exec " + command], env=self.environment(), cwd=self.sentinel.cwd, bufsize=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )
        assert process.stdout is not None
        try:
            assert select.select([process.stdout], [], [], lab.WITHIN)[0], f"{command} says nothing"
            os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=lab.WITHIN)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            process.stdout.close()
        self.code = 0 if process.returncode in (0, 130, -signal.SIGINT) else process.returncode
        return output.decode(errors="replace")

    def port(self, written: str) -> str:
        """A port that is free here, for each that the page names."""
        if written not in self.ports:
            self.ports[written] = str(lab.free_port())
        return self.ports[written]

    def seen(self, output: str) -> list[str]:
        """What was printed, as the page would write it."""
        for ours, theirs in (
            (str(self.sentinel.home), USER_HOME + "/.sentinel"), (str(self.sentinel.cwd), WORK),
            (str(self.files / "home"), USER_HOME),
        ):
            output = output.replace(ours, theirs)
        return plain(re.sub(rf"\b{re.escape(getpass.getuser())}\b", USER, output))


NUMBER = re.compile(r"\d+([.:,-]\d+)*( ?(ms|[smhd]|%|[kKMG]?i?B)(?![\w]))?")


def plain(text: str) -> list[str]:
    """Lines without what differs between two runs: numbers with their units, empty cells, spaces."""
    lines = []
    for line in text.splitlines():
        line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)
        line = re.sub(r"(?<!\S)[-–](?!\S)", "0", NUMBER.sub("0", line))
        line = re.sub(r"0( 0)+", "0", " ".join(line.split()))
        if line:
            lines.append(line)
    return lines


def matches(expected: list[str], seen: list[str]) -> bool:
    if not expected:
        return not seen
    if expected[0] in ("...", "…"):
        return any(matches(expected[1:], seen[at:]) for at in range(len(seen) + 1))
    return bool(seen) and expected[0] == seen[0] and matches(expected[1:], seen[1:])


def problem(reader: Reader, example: Example, may_fail: bool) -> str:
    output = reader.type(example)
    wanted = plain("\n".join(example.expected))
    fails = any(line.startswith("error:") for line in wanted)
    if "Traceback" in output:
        return f"{example}\na traceback:\n{output}"
    if not may_fail and (reader.code != 0) != fails:
        return f"{example}\nexit status {reader.code}:\n{output}"
    if wanted and not matches(wanted, reader.seen(output)):
        shown = "\n".join(reader.seen(output))
        return f"{example}\nthe page shows:\n" + "\n".join(wanted) + f"\nbut it says:\n{shown}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_do_what_it_shows(page: Path, native: lab.Sentinel, tmp_path: Path) -> None:
    chosen = [example for example in examples(page) if not example.reason]
    if chosen and not shutil.which("sh"):
        lab.skip("there is no sh")
    reader = Reader(native, tmp_path / "files")
    reader.prepare()
    problems = []
    for number, example in enumerate(chosen):
        after = chosen[number + 1].command if number + 1 < len(chosen) else ""
        problems.append(problem(reader, example, may_fail=after.startswith("echo $?")))
    assert not any(problems), "\n\n".join(filter(None, problems))


def test_blocks_are_read_with_their_commands_outputs_and_reasons(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```console\n$ sentinel list\nID NAME\n$ sentinel run \\\n>   x\n```\n"
        "<!-- not run: too loud -->\n\n```console\n$ sentinel bell\n```\n"
        "```console\n$ sentinel list --backend systemd\n$ uv run pytest\n```\n"
    )
    found = [(each.command, each.expected, each.reason) for each in examples(page)]
    assert found == [
        ("sentinel list", ["ID NAME"], ""),
        ("sentinel run x", [], ""),
        ("sentinel bell", [], "too loud"),
        ("sentinel list --backend systemd", [], "needs a service manager"),
        ("uv run pytest", [], "another program's work"),
    ]


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("Started web (id: 1, pid: 12345)", "Started web (id: 1, pid: 7)", True),
        ("web  running  0.3%  7.1 MB  2m 5s", "web    running  0.0%  12 MB  0s", True),
        ("web  -  ada", "web   3s  ada", True),
        ("web  running", "web  stopped", False),
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("a\n...\nz", "a\nb", False),
        ("one", "one\ntwo", False),
    ],
)
def test_numbers_may_differ_and_nothing_else(shown: str, printed: str, same: bool) -> None:
    assert matches(plain(shown), plain(printed)) is same
