#!/usr/bin/env python3
"""Makes what the documentation tells twice out of the code: reference, table of backends, manual, completions.

    uv run python contrib/docs/make.py            write the files
    uv run python contrib/docs/make.py --check    name those that are not up to date, and exit 1
"""

import sys
from pathlib import Path

import backends
import manual
import reference

from sentinel.cli.completion import script

ROOT = Path(__file__).resolve().parents[2]


def files() -> dict[str, str]:
    """{path below the project: what has to be in it}"""
    return {
        "docs/backends.md": backends.page(),
        "docs/reference.md": reference.page(),
        "man/sentinel.1": manual.page(),
        "contrib/completions/sentinel.bash": script("bash"),
        "contrib/completions/_sentinel": script("zsh"),
        "contrib/completions/sentinel.fish": script("fish"),
    }


def main() -> int:
    made = files()
    present = {path: (ROOT / path).read_text() if (ROOT / path).exists() else None for path in made}
    stale = [path for path, text in made.items() if present[path] != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path} is not up to date: run contrib/docs/make.py", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(made[path])
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
