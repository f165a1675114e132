"""The tools to compare with, installed into a cache directory of the benchmark's own, never globally."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab import BenchError

PYTHON_PACKAGES = {"supervisord": "supervisor==4.3.*", "circus": "circus"}
PM2 = "pm2@7"


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "sentinel-bench"


def python_tool(tool: str, program: str) -> Path:
    """The program of a Python package, in a virtual environment with the Python that sentinel has here."""
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    place = cache() / f"{tool}-{version}"
    found = place / "bin" / program
    if not found.exists():
        say(f"installing {tool} into {place}")
        shutil.rmtree(place, ignore_errors=True)
        python = str(place / "bin" / "python")
        if shutil.which("uv"):
            run("uv", "venv", "--quiet", "--python", sys.executable, str(place))
            run(
                "uv",
                "pip",
                "install",
                "--quiet",
                "--compile-bytecode",
                "--python",
                python,
                PYTHON_PACKAGES[tool],
                "setuptools<81",
            )
        else:
            run(sys.executable, "-m", "venv", str(place))
            run(python, "-m", "pip", "install", "--quiet", PYTHON_PACKAGES[tool], "setuptools<81")
    return found


def pm2() -> Path:
    place = cache() / "pm2"
    found = place / "node_modules" / ".bin" / "pm2"
    if not found.exists():
        if not shutil.which("npm"):
            raise BenchError("pm2 needs node and npm; install them, or leave pm2 out with --tools")
        say(f"installing {PM2} into {place}")
        place.mkdir(parents=True, exist_ok=True)
        run("npm", "install", "--prefix", str(place), "--no-audit", "--no-fund", "--silent", PM2)
    return found


def system_tool(program: str, package: str) -> Path:
    found = shutil.which(program)
    if not found:
        raise BenchError(
            f"{program} is not installed; install the package {package}, or leave it out with --tools"
        )
    return Path(found)


def run(*argv: str) -> None:
    if subprocess.run(argv).returncode != 0:
        raise BenchError(f"{' '.join(argv)} failed")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
