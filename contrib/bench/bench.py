"""Measure sentinel beside other supervisors: `uv run python contrib/bench/bench.py --help`."""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import plot
import report
from faults import faults
from install import say
from lab import BenchError, Lab
from measures import Bench, all_of
from tools import TOOLS, Tool
from tools_more import MORE_TOOLS

STEPS = ["crash", "run", "many", "looks", "one", "idle", "all", "logs", "faults"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    known = {**TOOLS, **MORE_TOOLS}
    parser.add_argument(
        "--tools", default=",".join(TOOLS), help=f"which, of {', '.join(known)} (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works")
    parser.add_argument("--only", default="", help=f"only these, of {','.join(STEPS)}")
    parser.add_argument(
        "--count", type=int, default=100, help="how many processes are many (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, help="write the page there, and the plot beside it as .svg")
    parser.add_argument("--json", type=Path, help="write all samples there")
    parser.add_argument("--dir", help="where the temporary directory is made (a short path)")
    given = parser.parse_args()
    given.tools = [name for name in given.tools.split(",") if name]
    given.only = [name for name in given.only.split(",") if name]
    for name in given.tools:
        if name not in known:
            parser.error(f"there is no tool {name}; there are {', '.join(known)}")
    for name in given.only:
        if name not in STEPS:
            parser.error(f"there is no step {name}; there are {', '.join(STEPS)}")
    return given


def measure(bench: Bench, only: list[str]) -> dict[str, str]:
    """Start all, measure, end all; the versions."""
    started: list[Tool] = []
    try:
        for tool in bench.tools:
            tool.up()
            started.append(tool)
        versions = {tool.name: tool.version() for tool in bench.tools}
        if only != ["faults"]:
            all_of(bench, only)
        if not only or "faults" in only:
            faults(bench)
        return versions
    finally:
        for tool in started:
            with bench.problem(tool, "shut down"):
                tool.down()
            tool.close()


def main() -> int:
    given = arguments()
    lab = Lab(given.dir)
    try:
        known = {**TOOLS, **MORE_TOOLS}
        tools = [known[name](lab) for name in given.tools]
        bench = Bench(
            lab,
            tools,
            count=given.count,
            rounds=4 if given.quick else 20,
            idle_seconds=5.0 if given.quick else 20.0,
            log_bytes=(20 if given.quick else 200) * 1_000_000,
        )
        versions = measure(bench, given.only)
        write(bench, versions, given.out, given.json)
        return 1 if any(problem.startswith("sentinel:") for problem in bench.results.problems) else 0
    except BenchError as error:
        say(f"error: {error}")
        return 1
    finally:
        lab.close()


def write(bench: Bench, versions: dict[str, str], out: Path | None, samples: Path | None) -> None:
    if samples:
        kept = {"versions": versions, "samples": bench.results.samples, "facts": bench.results.facts}
        samples.write_text(json.dumps(kept, indent=1) + "\n")
    picture = out.with_suffix(".svg") if out else None
    text = report.page(bench, versions, picture.name if picture else None)
    print(text, end="")
    if out and picture:
        out.write_text(text)
        names = [tool.name for tool in bench.tools]
        picture.write_text(plot.svg(bench.results.samples, report.rows(bench.count), names))


if __name__ == "__main__":
    sys.exit(main())
