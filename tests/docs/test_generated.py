"""What is made from the code is up to date, and true of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel.cli import commands, daemon, groups, ports
from sentinel.cli.call import done_data
from sentinel.cli.parse import parse, spelled_out
from sentinel.supervisor.api import JSON_KEYS, DaemonView, Done, GroupView, PortView

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "contrib/docs"


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, dict[str, str]]]:
    monkeypatch.syspath_prepend(str(TOOLS))
    import facts

    found: dict[str, tuple[str, dict[str, str]]] = facts.JSON
    return found


def test_the_generated_files_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(TOOLS / "make.py"), "--check"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_manual_page_is_well_formed() -> None:
    if not shutil.which("groff"):
        pytest.skip("groff is not installed: the manual page is not checked")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8", str(ROOT / "man/sentinel.1")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_pictures_of_the_pages_are_there_and_well_formed() -> None:
    import re
    from xml.etree import ElementTree

    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    link = re.compile(r"!\[[^]]*\]\(([^)]+\.svg)\)")
    shown = {page.parent / path for page in pages for path in link.findall(page.read_text())}
    assert shown
    for path in shown - {ROOT / "docs/benchmark.svg"}:  # that one is a plot
        assert "".join(ElementTree.parse(path).getroot().itertext()).strip().startswith("$")


@pytest.mark.parametrize("command", commands.COMMANDS.values(), ids=lambda one: one.name)
def test_every_example_of_the_help_means_something(command: commands.Command) -> None:
    import shlex

    assert command.examples
    for example in command.examples:
        words = shlex.split(example, comments=True)
        words = words[words.index("sentinel") + 1 :]
        found = commands.find(words)
        assert found is not None, example
        assert found[0] is command, example
        assert parse(command, spelled_out(*found)) is not None, example


def test_the_documented_keys_are_those_that_are_printed(facts: dict[str, tuple[str, dict[str, str]]]) -> None:
    printed = {
        "list": JSON_KEYS,
        "run": done_data(Done(1, "web")),
        "group list": groups.as_data(GroupView("g", [], {}, None, 0.0), False),
        "port list": ports.as_data(PortView(1, "p", None, 0.0)),
        "daemon status": daemon.as_data(DaemonView(False)),
    }
    for command, keys in printed.items():
        assert list(facts[command][1]) == list(keys), command


def test_each_promise_names_the_tests_that_hold_it() -> None:
    """And they are among those that CI runs."""
    import re

    table = (ROOT / "README.md").read_text().partition("## The promises")[2].partition("\n## ")[0]
    promises = [line for line in table.splitlines() if line.startswith("| ")][2:]
    kept = (ROOT / "SECURITY.md").read_text().partition("## What is promised")[2].partition("\n## ")[0]
    promises += [paragraph for paragraph in kept.split("\n\n") if paragraph.strip()]
    assert len(promises) > 20
    run = (ROOT / ".ci/run").read_text()
    for promise in promises:
        tests = re.findall(r"\]\((tests/[\w/.]+)\)", promise)
        assert tests, promise
        for path in tests:
            found = ROOT / path
            is_test = found.is_dir() or (found.name.startswith("test_") and "def test_" in found.read_text())
            assert is_test or path in run, path


def test_links_between_the_pages_lead_somewhere() -> None:
    import re

    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    link = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
    broken = [f"{page.name}: {to}" for page in pages for to in link.findall(page.read_text())
              if not (page.parent / to).exists()]  # fmt: skip
    assert not broken
