"""Names of units never collide, whatever the names and homes are."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sentinel.backends.systemd import bus, naming
from sentinel.paths import Home, default_home

UNIT = re.compile(r"[A-Za-z0-9:_.\\-]+\.(service|slice)\Z")
DEFAULT = Home(default_home())
OTHER = Home("/srv/other")
names = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=130)


@settings(deadline=None)
@given(names, names, st.sampled_from([DEFAULT, OTHER]), st.sampled_from([DEFAULT, OTHER]))
@example("a", "a", DEFAULT, OTHER)
@example(f"a-{OTHER.key}", "a", DEFAULT, OTHER)
@example(f"a:{OTHER.key}", "a", DEFAULT, OTHER)
@example("a\\x2db", "a-b", DEFAULT, DEFAULT)
def test_different_names_or_homes_are_different_units(a: str, b: str, here: Home, there: Home) -> None:
    same = (a, here) == (b, there)
    for name in (naming.unit_name, naming.slice_name, naming.identifier):
        assert (name(a, here) == name(b, there)) is same


@settings(deadline=None)
@given(names, st.sampled_from([DEFAULT, OTHER]))
@example("x" * 130, OTHER)
@example("😀" * 130, OTHER)
@example(".", DEFAULT)
def test_systemd_takes_them(name: str, home: Home) -> None:
    for unit in (naming.unit_name(name, home), naming.slice_name(name, home)):
        assert UNIT.match(unit)
        assert len(unit) <= 255
    assert "-" not in naming.slice_name(name, home).removeprefix(
        "sentinel-"
    )  # a direct child of sentinel.slice


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("web", "sentinel-web.service"),
        ("web-1", r"sentinel-web\x2d1.service"),
        (".x", r"sentinel-\x2ex.service"),
        ("a.b_C", "sentinel-a.b_C.service"),
        ("daemon", r"sentinel-\x64aemon.service"),
    ],
)
def test_plain_names_stay_readable(name: str, unit: str) -> None:
    assert naming.unit_name(name, DEFAULT) == unit


def test_the_daemon_has_a_unit_of_its_own() -> None:
    for home in (DEFAULT, OTHER):
        assert naming.daemon_unit(home) not in {
            naming.unit_name(n, h) for n in ("daemon", "daemon-" + OTHER.key) for h in (DEFAULT, OTHER)
        }


def test_the_journal_knows_a_process_by_its_name() -> None:
    assert naming.identifier("web-1", DEFAULT) == "sentinel-web-1"
    assert naming.identifier("web-1", OTHER) == f"sentinel-web-1:{OTHER.key}"


def test_a_unit_is_an_object() -> None:
    assert bus.unit_path("0a-b.service") == "/org/freedesktop/systemd1/unit/_30a_2db_2eservice"


def test_the_binding_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_DBUS", "jeepney")
    assert bus.binding() == "jeepney"
    monkeypatch.setenv("SENTINEL_DBUS", "other")
    with pytest.raises(bus.BackendError):
        bus.binding()
