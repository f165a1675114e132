"""A home to break."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import lab
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from faultlab import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A home of its own; at the end nothing of it may be left."""
    made = House(tmp_path / "home", tmp_path / "marks")
    yield made
    try:
        made.close()
    finally:
        problems = lab.end_everything(tmp_path, set())
    assert not problems, "the test left things behind:\n" + "\n".join(problems)
