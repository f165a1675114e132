"""The homes of the fault suite."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import lab
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

from faultlab import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "home", tmp_path / "marks")
    yield made
    made.close()
    problems = lab.end_everything(tmp_path, set())
    assert not problems, "the test left things behind:\n" + "\n".join(problems)
