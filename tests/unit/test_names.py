"""Which names are allowed and free, and whom they mean."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.errors import Conflict, NotFound, UsageError
from sentinel.model import Record, Spec, State
from sentinel.names import (
    check_free,
    check_name,
    default_name,
    find,
    find_many,
    instance_names,
    key,
    printable,
    sanitised,
    unique,
)


def state(*names: str) -> State:
    records = [Record(id, name, "native", Spec(["x"], "/")) for id, name in enumerate(names, 1)]
    return State(next_id=len(names) + 1, processes={record.id: record for record in records})


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "web",
        "web-1",
        "a.b_c-d@e+f",
        "123",
        "@x",
        "+x",
        "_x",
        "x" * 128,
        "日本" * 64,
        "wörker",
        "e\u0301",
        "नमस्ते",
        "٣",
    ],
)
def test_allowed(name: str) -> None:
    assert check_name("process", name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", "-x", ".x", ".", "..", "x" * 129, "a b", " a", "a ", "a/b", "a\\b", "a\0", "a\n", "a\t", "a\x7f",
        "a\x1b[1m",
        "a:b", "a*", "a~", "a,b", "a'b", 'a"b', "a%b", "a$b", "\u0301a", "a\u202eb", "a\u200bb", "a\u200db",
        "a\u00a0b",
        "a\u3000b", "a\ufe0fb", "a\u3164b", "a\u034fb", "a😀", "a\udc80", "a\u2028b", "a\ue000", "a\u0378",
        "a€",
    ],
)  # fmt: skip
def test_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name("process", name)
    assert str(caught.value).isprintable()
    assert caught.value.hint


def refusal(name: str) -> UsageError | None:
    try:
        check_name("group", name)
    except UsageError as error:
        return error
    return None


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=140))
def test_any_text_is_refused_or_safe_and_sanitising_makes_it_safe(text: str) -> None:
    if (error := refusal(text)) is not None:
        assert str(error).isprintable()
    else:
        assert text.isprintable()
        assert not set(text) & set("/ \\:")
    if clean := sanitised(text):
        assert check_name("process", clean) == clean


@pytest.mark.parametrize("other", ["web", "WEB", "Web"])
def test_a_name_is_taken_whatever_its_case(other: str) -> None:
    with pytest.raises(Conflict):
        check_free("process", "web", ["x", other])
    assert check_free("process", "web", ["x", "web-2"]) == "web"


def test_a_name_is_taken_whatever_its_form() -> None:
    composed = "w\u00f6rker"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    with pytest.raises(Conflict, match="case or form"):
        check_free("process", decomposed.upper(), [composed])


def test_unique() -> None:
    assert unique("web", []) == "web"
    assert unique("web", ["web"]) == "web-2"
    assert unique("web", ["WEB", "Web-2", "web-4"]) == "web-3"
    long = "x" * 128
    assert unique(long, [long]) == "x" * 126 + "-2"


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["python3 -m http.server"], "python3"), (["A=1 B='x y' prog x"], "prog"),
        (["/usr/bin/python3.11 x"], "python3.11"),
        (["cd /srv && ./run"], "cd"), (["exec ./server --fast"], "server"), (["./run.sh | tee x"], "run.sh"),
        (["python3", "-m", "http.server"], "python3"), (["/opt/my app/run it", "x"], "run-it"),
        (["'my app' x"], "my-app"),
        (["(sleep 1; sleep 2)"], "sleep"), (["$PROG x"], "PROG"), (["..."], "process"), (["~/bin/x y"], "x"),
        (["./.hidden"], "hidden"), (["-"], "process"), ([" "], "process"), (["A=1"], "A-1"),
        (["'"], "process"),
    ],
)  # fmt: skip
def test_default_name(argv: list[str], name: str) -> None:
    assert default_name(argv) == name


@settings(derandomize=True, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=3))
def test_every_command_has_a_default_name(argv: list[str]) -> None:
    check_name("process", default_name(argv))


def test_instance_names() -> None:
    assert instance_names("web", 3) == ["web-1", "web-2", "web-3"]
    with pytest.raises(UsageError):
        instance_names("x" * 127, 2)


def test_names_come_before_ids() -> None:
    known = state("web", "1", "3")
    assert find(known, "web").id == 1
    assert find(known, "1").id == 2
    assert find(known, "2").id == 2
    assert find(known, "3").id == 3
    assert find(state("w\u00f6rker"), "wo\u0308rker").id == 1


@pytest.mark.parametrize("token", ["nobody", "", "9", "-1", "1.0", "٣", "9" * 5000, "a\nb", "\udc80"])
def test_nobody_of_that_name(token: str) -> None:
    with pytest.raises(NotFound, match="no process named") as caught:
        find(state("web"), token)
    assert "sentinel list" in caught.value.hint
    assert str(caught.value).isprintable()


def test_find_many_keeps_the_order_and_names_all_that_are_missing() -> None:
    known = state("a", "b", "c")
    assert [record.name for record in find_many(known, ["c", "a", "3", "c"])] == ["c", "a"]
    with pytest.raises(NotFound, match="no process named x, y") as caught:
        find_many(known, ["a", "x", "y", "x"])
    assert caught.value.code == "not_found"


def test_printable() -> None:
    assert printable("a\nb\x1b\udcff\u202e é") == "a\\nb\\x1b\\xff\\u202e é"
    assert len(printable("x" * 500)) == 80
    assert key("Straße") == key("STRASSE")
