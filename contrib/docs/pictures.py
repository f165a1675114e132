#!/usr/bin/env python3
"""Makes docs/pictures/*.svg: what sentinel really prints on a terminal, in a home that is made for it.

    uv run python contrib/docs/pictures.py
"""

import contextlib
import getpass
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from html import escape
from pathlib import Path

PICTURES = Path(__file__).resolve().parents[2] / "docs/pictures"
COLUMNS = 100
PROGRAMS = {
    "app.py": "import sys, time\nfor path in '/', '/login', '/cart':\n    print('GET', path, '200', flush=True)\n"
    "print('slow query: 812 ms', file=sys.stderr, flush=True)\nwork = bytearray(30_000_000)\ntime.sleep(10_000)\n",
    "worker.py": "import time\ntime.sleep(10_000)\n",
    "import.py": "raise SystemExit(3)\n",
}
SCENES = {
    "run": (
        'sentinel run "python3 app.py" --name web --restart --port',
        "sentinel group create workers --env QUEUE=mail",
        'sentinel run "python3 worker.py" --name worker --instances 3 --group workers --restart',
    ),
    "list": ("sentinel list",),
    "status": ("sentinel status web",),
    "logs": ("sentinel logs web --lines 3",),
}
BETWEEN = ("sentinel run 'python3 import.py' --name import --restart --restart-delay 20", "sentinel stop worker-2")

CHARACTER, LINE, EDGE, BAR = 8.4, 19, 16, 34
COLOURS = {"31": "#f7768e", "32": "#9ece6a", "33": "#e0af68"}
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<rect width="100%" height="100%" rx="8" fill="#1a1b26"/>
<circle cx="18" cy="17" r="5" fill="#f7768e"/><circle cx="36" cy="17" r="5" fill="#e0af68"/>
<circle cx="54" cy="17" r="5" fill="#9ece6a"/>
<g font-family="ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="14" fill="#c0caf5">
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory) / "app"
        work.mkdir()
        for name, text in PROGRAMS.items():
            (work / name).write_text(text)
        env = {**os.environ, "SENTINEL_HOME": f"{directory}/.sentinel", "SENTINEL_BACKEND": "native",
               "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "PWD": str(work)}  # fmt: skip
        env.pop("NO_COLOR", None)
        try:
            perform("sentinel daemon start", work, env)
            for name, commands in SCENES.items():
                save(name, [(command, anonymous(perform(command, work, env), directory)) for command in commands])
                if name == "run":
                    for command in BETWEEN:
                        perform(command, work, env)
                    time.sleep(2)  # for an uptime worth a picture
        finally:
            perform("sentinel stopall --force", work, env)
            perform("sentinel daemon stop", work, env)
    return 0


def perform(command: str, work: Path, env: dict[str, str]) -> str:
    """What the command prints on a terminal."""
    ours, theirs = pty.openpty()
    script = command.replace("sentinel", f"'{sys.executable}' -m sentinel", 1)
    with subprocess.Popen(script, shell=True, cwd=work, env=env, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while more := os.read(ours, 65536):
                said += more
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def anonymous(text: str, directory: str) -> str:
    """As on the machine of somebody called ada."""
    user = getpass.getuser()
    text = text.replace(f"{directory}/", "/home/ada/").replace(directory, "/home/ada")
    return re.sub(rf"\b{re.escape(user)}\b", "ada".ljust(len(user)), text)


def save(name: str, shown: list[tuple[str, str]]) -> None:
    lines = [line for command, said in shown for line in (f"\x1b[2m$\x1b[0m {command}", *said.rstrip().split("\n"))]
    width = round(CHARACTER * COLUMNS + 2 * EDGE)
    parts = [HEAD.format(width=width, height=BAR + LINE * len(lines) + EDGE)]
    parts += [row(at, line) for at, line in enumerate(lines)]
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.svg").write_text("".join([*parts, "</g>\n</svg>\n"]))
    print(f"docs/pictures/{name}.svg")


def row(at: int, line: str) -> str:
    """A line of the terminal; each piece of one colour has its own place, whatever font shows it."""
    pieces, column, style = [], 0, ""
    for code, text in re.findall(r"\x1b\[([0-9;]*)m|([^\x1b]+)", line):
        if not text:
            style = looks(code)
        for word in re.finditer(r"\S+(?: \S+)*", text):
            x = EDGE + CHARACTER * (column + word.start())
            pieces.append(f'<tspan x="{x:.1f}"{style}>{escape(word[0], quote=False)}</tspan>')
        column += len(text)
    return f'<text y="{BAR + LINE * (at + 1) - 5}" xml:space="preserve">{"".join(pieces)}</text>\n'


def looks(code: str) -> str:
    if code in COLOURS:
        return f' fill="{COLOURS[code]}"'
    return {"1": ' font-weight="bold"', "2": ' fill="#565f89"'}.get(code, "")


if __name__ == "__main__":
    sys.exit(main())
