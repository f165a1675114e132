"""`sentinel selftest` on the systemd backend: every promise is kept, and no unit is left."""

from pathlib import Path

import lab
import pytest


@pytest.fixture
def before() -> set[str]:
    return lab.units()


def test_every_promise_is_kept(tmp_path: Path, before: set[str]) -> None:
    sentinel = lab.Sentinel(tmp_path / "home", "systemd", tmp_path)
    result = sentinel("selftest", "--backend", "systemd", "--json", env={"TMPDIR": str(tmp_path)}, within=900.0)
    told = result.json()["backends"]["systemd"]
    assert [(each["promise"], each["error"]) for each in told["promises"] if not each["passed"]] == []
    assert result.code == 0
    assert list(tmp_path.glob("sentinel-selftest-*")) == []
    assert lab.end_everything(tmp_path, before) == []
