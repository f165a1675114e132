"""Our quick dataclasses behave as the standard library's do."""

import dataclasses
from typing import Any

import pytest

from sentinel import plain


def make(module: Any, **options: bool) -> Any:
    @module.dataclass(slots=True, **options)
    class Point:
        """A place."""

        x: int
        y: int = 2
        tags: list[str] = module.field(default_factory=list)

        @property
        def total(self) -> int:
            return self.x + self.y

    return Point


BOTH = pytest.mark.parametrize("module", [plain, dataclasses], ids=["ours", "standard"])


@BOTH
def test_arguments_and_defaults(module: Any) -> None:
    point = make(module)
    one, other = point(1), point(x=1, y=2, tags=[])
    assert one == other
    assert one != point(2)
    assert (one.x, one.y, one.tags, one.total) == (1, 2, [], 3)
    one.tags.append("a")
    assert other.tags == []
    assert point(1, tags=["b"]).tags == ["b"]


@BOTH
@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2, [], 4), {}), ((1,), {"z": 1}), ((1,), {"x": 1})])
def test_wrong_arguments_are_refused(module: Any, args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    for _ in range(2):  # the first call makes the initialiser
        with pytest.raises(TypeError):
            make(module)(*args, **kwargs)


@BOTH
def test_there_are_slots_only(module: Any) -> None:
    point = make(module)
    with pytest.raises(AttributeError):
        point(1).z = 3
    assert point.__doc__ == "A place."
    assert point.__match_args__ == ("x", "y", "tags")


@BOTH
def test_what_can_change_has_no_hash(module: Any) -> None:
    with pytest.raises(TypeError):
        hash(make(module)(1))


@BOTH
def test_frozen_ones_do_not_change_and_have_a_hash(module: Any) -> None:
    point = make(module, frozen=True)
    one = point(1, tags=())
    with pytest.raises(AttributeError):
        one.x = 2
    assert one.x == 1
    assert hash(one) == hash(point(1, tags=()))


@BOTH
def test_representation_and_comparison_with_others(module: Any) -> None:
    point = make(module)
    assert repr(point(1)).endswith("Point(x=1, y=2, tags=[])")
    assert point(1) != (1, 2, [])


@BOTH
def test_as_a_dictionary(module: Any) -> None:
    assert module.asdict(make(module)(1)) == {"x": 1, "y": 2, "tags": []}


def test_a_copy_is_a_copy() -> None:
    from copy import deepcopy

    one = make(plain)(1, tags=["a"])
    other = deepcopy(one)
    other.tags.append("b")
    assert (one.tags, other.tags) == (["a"], ["a", "b"])
