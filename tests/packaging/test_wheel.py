"""The wheel: built from this checkout, installed elsewhere, used there."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import lab
import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without a network where the build backend is at hand, else it is fetched."""
    out = tmp_path_factory.mktemp("dist")
    attempts = []
    if (uv := os.environ.get("UV") or shutil.which("uv")) is not None:
        attempts = [[uv, "build", "--wheel", "--out-dir", str(out), "--python", sys.executable, str(ROOT)]]
        attempts.insert(0, [attempts[0][0], "build", "--offline", *attempts[0][2:]])
    attempts.append([sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(out), str(ROOT)])
    said = []
    for attempt in attempts:
        done = run(*attempt)
        said.append(done.stderr[-2000:])
        if done.returncode == 0:
            (found,) = out.glob("sentinel-*.whl")
            return found
    if "hatchling" in "".join(said) and "network" in "".join(said).lower():
        lab.skip("no wheel can be built: the build backend cannot be fetched")
    pytest.fail("no wheel was built:\n" + "\n".join(said))


def test_it_holds_the_templates_and_nothing_strange(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    templates = {str(path.relative_to(ROOT)) for path in (ROOT / "templates").rglob("*") if path.is_file()}
    assert templates
    assert {f"sentinel/{name}" for name in templates} <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"sentinel"}
    shared = {name.partition("/data/")[2] for name in names if ".data/data/share/" in name}
    assert {"share/man/man1/sentinel.1", "share/bash-completion/completions/sentinel"} <= shared
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_it_works_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "installed"
    venv.create(place, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)}))
    zipfile.ZipFile(wheel).extractall(site)  # all an installer does with a pure wheel
    # The dependencies are those of the environment the tests run in, except sentinel itself.
    dependencies = [path for path in sys.path if path.endswith("-packages")]
    (site / "dependencies.pth").write_text("\n".join(dependencies) + "\n")
    python = str(place / "bin/python")
    env = {
        **os.environ,
        "SENTINEL_HOME": str(tmp_path / "home"),
        "SENTINEL_BACKEND": "native",
        "NO_COLOR": "1",
    }
    env.pop("PYTHONPATH", None)

    def sentinel(*args: str) -> str:
        done = subprocess.run(
            [python, "-m", "sentinel", *args],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=lab.WITHIN,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = subprocess.run(
        [python, "-c", "import sentinel.paths as p; print(p.__file__); print(p.template_directory())"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=lab.WITHIN,
        check=True,
    ).stdout.split()
    assert all(path.startswith(str(site)) for path in where), where
    assert [path for path in Path(where[1]).rglob("*") if path.is_file()]
    assert sentinel("--version").strip()
    try:
        assert "Started web (id: 1" in sentinel("run", "sleep 1000", "--name", "web")
        assert json.loads(sentinel("list", "--json"))[0]["status"] == "running"
        sentinel("stop", "web")
        assert json.loads(sentinel("list", "--json"))[0]["status"] == "stopped"
        sentinel("delete", "web")
    finally:
        left = lab.end_everything(tmp_path, lab.units())
    assert not left, left
