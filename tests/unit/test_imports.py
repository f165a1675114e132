"""Imports point one way, and the command line loads only what it needs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "sentinel"
# layer -> what it may not import
FORBIDDEN = {
    "sentinel.model": ("sentinel",),
    "sentinel.errors": ("sentinel",),
    "sentinel.backends.native": ("sentinel.backends.systemd", "sentinel.cli", "sentinel.supervisor"),
    "sentinel.backends.systemd": ("sentinel.backends.native", "sentinel.cli", "sentinel.supervisor"),
    "sentinel.backends": ("sentinel.cli", "sentinel.supervisor"),
    "sentinel.logs": ("sentinel.cli", "sentinel.supervisor"),
    "sentinel.supervisor": ("sentinel.cli",),
}
ABOVE = ("sentinel.cli", "sentinel.supervisor")  # what nothing but these may import
ENGINES = ("sentinel.backends.native", "sentinel.backends.systemd")
BINDINGS = {  # each is imported itself where it is used, being all about this library
    "sentinel.backends.systemd.bus_jeepney": ("jeepney",),
    "sentinel.backends.systemd.bus_pydbus": ("pydbus", "gi"),
}
HEAVY = ("rich", "psutil", "jinja2", "dotenv", "pydbus", "gi", "jeepney", "asyncio", "http.client")


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether at the top of the file) of every import, wherever it stands."""
    tree = ast.parse(path.read_bytes())
    top = set(ast.walk(ast.Module([node for node in tree.body if not _is_for_types(node)], [])))
    functions = [node for node in top if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {each for function in functions for each in ast.walk(function)}
    for node in ast.walk(tree):
        at_top = node in top and node not in inside
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(path, node)
            yield module, at_top
            yield from ((f"{module}.{alias.name}", at_top) for alias in node.names)


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(PACKAGE.parent).parts[: -node.level]
    return ".".join((*package, *filter(None, [node.module])))


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_one_way(module: str) -> None:
    forbidden = {name for layer, names in FORBIDDEN.items() if within(module, layer) for name in names}
    if not within(module, *ABOVE, "sentinel.__main__"):
        forbidden |= set(ABOVE)
    if not within(module, "sentinel.backends", *ABOVE, "sentinel.__main__"):
        forbidden |= set(ENGINES)  # the state and its neighbours know no engine
    for name, _ in imported(modules()[module]):
        bad = [each for each in forbidden if within(name, each) and not within(module, each)]
        assert not bad, f"{module} imports {name}"


@pytest.mark.parametrize("module", sorted(modules()))
def test_heavy_modules_are_imported_where_they_are_used(module: str) -> None:
    for name, at_top in imported(modules()[module]):
        heavy = at_top and within(name, *HEAVY) and not within(name, *BINDINGS.get(module, ()))
        assert not heavy, f"{module} imports {name} for everybody who imports it"


def test_starting_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, sentinel.__main__, sentinel.cli.app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert not set(HEAVY) & set(loaded.split())


def test_no_two_test_files_have_the_same_name() -> None:
    """pytest imports them by their base names alone."""
    names = [path.name for path in (PACKAGE.parent / "tests").rglob("test_*.py")]
    assert not {name for name in names if names.count(name) > 1}
