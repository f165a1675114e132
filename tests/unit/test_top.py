"""The picture and the keys of `top`: pure functions."""

import re

import pytest
from fake_supervisor import view

from sentinel.cli.text import width
from sentinel.cli.top.keys import Act, Quit, press
from sentinel.cli.top.model import KEPT, Model, Snapshot
from sentinel.cli.top.render import Style, render, spark
from sentinel.cli.top.terminal import keys_of
from sentinel.supervisor.api import Listing, ProcessView

PLAIN = Style(colour=False)
SIZES = [(80, 24), (200, 50), (100, 30), (40, 10), (20, 5), (1, 1), (3, 2)]
STYLES = [Style(), PLAIN, Style(bars=False)]
NASTY = "evil\x1b[2J\nname 你好"


def processes() -> list[ProcessView]:
    return [
        view(1, "web", cpu_percent=12.5, health="healthy", restarts=3),
        view(2, "worker-1", group="workers", cpu_percent=90.0, memory_bytes=2**31, health="unhealthy"),
        view(3, "worker-2", group="workers", cpu_percent=0.0),
        view(4, NASTY, group=NASTY, command=NASTY),
        view(5, "old", status="stopped", pid=None, cpu_percent=None, memory_bytes=None, uptime_seconds=None),
    ]


def model(listing: list[ProcessView] | None = None, looks: int = 3) -> Model:
    made = Model()
    listing = processes() if listing is None else listing
    log = [("stdout", f"line {number} {'x' * 300}") for number in range(100)]
    for _ in range(looks):
        made.update(Snapshot(Listing(listing), True, listing[0].id if listing else None, log))
    return made


def bare(lines: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


def pressed(shown: Model, *keys: str) -> Quit | Act | None:
    for key in keys:
        wanted = press(shown, key)
    return wanted


def selected(shown: Model) -> int | None:
    one = shown.selection()
    return one.id if one else None


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keys", ["", "f", "/", "G"])
@pytest.mark.parametrize("count", [0, 5, 300])
def test_every_picture_fits(style: Style, size: tuple[int, int], keys: str, count: int) -> None:
    columns, lines = size
    many = [view(number, f"p{number}", group=f"g{number % 9}") for number in range(1, count + 1)]
    shown = model(processes() if count == 5 else many)
    pressed(shown, *keys) if keys else None
    picture = render(shown, columns, lines, style)
    assert len(picture) == lines
    assert [line for line in bare(picture) if width(line) > columns] == []
    assert all(line.isprintable() for line in bare(picture))


def test_a_small_screen_has_all_that_matters() -> None:
    picture = render(model(), 80, 24, PLAIN)
    text = "\n".join(picture)
    assert picture[0].startswith("sentinel: 4 of 5 running  1 in trouble  CPU 103.8%  MEM 2.1 GB  daemon on")
    assert re.search(r"^> web +running +12.5% +█+ +20.0 MB +▇+ +3 +1h 2m$", text, re.MULTILINE)
    assert re.search(r"^  worker-1 +unhealthy +90.0% ", text, re.MULTILINE)
    assert re.search(r"^  old +stopped +- ", text, re.MULTILINE)
    assert re.search(r"^  workers +2/2 +CPU +90.0% +█+ +MEM +2.0 GB", text, re.MULTILINE)
    assert "── web: what it wrote ─" in text
    assert "line 99 xxx" in text
    assert "q quit" in picture[-1]


def test_a_large_screen_has_more() -> None:
    head = render(model(), 200, 50, PLAIN)[1]
    assert head.split() == "NAME STATUS CPU MEM RESTARTS UPTIME HEALTH GROUP PID COMMAND".split()


def test_colours_mark_the_selection_and_what_is_wrong() -> None:
    picture = render(model(), 80, 24, Style())
    assert picture[2].startswith("\x1b[7m> web ")
    assert "\x1b[31munhealthy\x1b[0m" in picture[3]
    assert bare(picture)[1:] == render(model(), 80, 24, PLAIN)[1:]


def test_the_selected_one_stays_in_sight() -> None:
    shown = model([view(number, f"p{number}") for number in range(1, 101)])
    for key in ("G", "g", *["j"] * 30):
        render(shown, 80, 24, PLAIN)
        press(shown, key)
        picture = render(shown, 80, 24, PLAIN)
        assert [line for line in picture if line.startswith("> ")][0].split()[1] == f"p{selected(shown)}"  # noqa: RUF015


def test_a_spark_is_as_wide_as_asked_and_its_newest_value_at_the_right() -> None:
    assert spark([0.0, None, 50.0, 100.0], 6, 100.0, PLAIN) == "  ▁ ▅█"
    assert spark([0.0, 50.0, 100.0], 2, 100.0, Style(bars=False)) == "=#"
    assert spark([], 3, 1.0, PLAIN) == "   "
    assert spark([1.0], 0, 1.0, PLAIN) == ""


def test_history_is_bounded_and_goes_with_its_process() -> None:
    shown = model(looks=KEPT + 50)
    assert len(shown.traces[1].cpu) == KEPT
    shown.update(Snapshot(Listing([view(2, "worker-1")])))
    assert (list(shown.traces), list(shown.group_traces)) == ([2], [])


def test_moving() -> None:
    shown = model()
    assert selected(shown) == 1
    for keys, id in ((("j", "down"), 3), (("k",), 2), (("up", "up", "up"), 1), (("G",), 5), (("home",), 1)):
        pressed(shown, *keys)
        assert selected(shown) == id
    pressed(shown, "page down")
    assert selected(shown) == 5


def test_the_next_one_is_selected_when_the_selected_one_goes() -> None:
    shown = model()
    pressed(shown, "j")
    shown.update(Snapshot(Listing([one for one in processes() if one.id != 2])))
    assert selected(shown) == 3
    shown.update(Snapshot(Listing([])))
    assert pressed(shown, "x") is None


def test_filtering() -> None:
    shown = model()
    pressed(shown, "/", *"WORK", "x", "backspace")
    assert "/WORK_" in render(shown, 80, 24, PLAIN)[-1]
    assert [one.name for one in shown.visible()] == ["worker-1", "worker-2"]
    pressed(shown, "enter")
    assert render(shown, 80, 24, PLAIN)[-1].startswith("filter: WORK")
    assert pressed(shown, "x") == Act("stop", "worker-1")
    pressed(shown, "escape")
    assert len(shown.visible()) == 5
    assert pressed(shown, "/", "q") is None
    assert pressed(shown, "escape", "q") == Quit()


def test_sorting() -> None:
    shown = model()
    orders = {}
    for _ in range(6):
        press(shown, "s")
        orders[shown.sort] = [one.id for one in shown.visible()]
    assert orders["cpu"][0] == 2
    assert orders["restarts"][0] == 1
    assert orders["uptime"][-1] == 5
    assert orders["id"] == [1, 2, 3, 4, 5]


def test_following_and_acting() -> None:
    shown = model()
    assert pressed(shown, "f", "r") == Act("restart", "web")
    assert "line 99" in render(shown, 80, 24, PLAIN)[-2]
    assert pressed(shown, "escape", "S") == Act("start", "web")
    assert not shown.following


def test_each_stream_gets_its_share_where_their_order_is_not_known() -> None:
    def log(*lines: tuple[str, str]) -> list[str]:
        shown = model()
        shown.log = list(lines)
        pressed(shown, "f")
        return render(shown, 80, 9, PLAIN)[2:-1]  # six lines

    out, err = [("stdout", f"out {n}") for n in range(9)], [("stderr", f"err {n}") for n in range(9)]
    assert log(*out, *err) == ["out 6", "out 7", "out 8", "err 6", "err 7", "err 8"]
    assert log(*out, err[0]) == ["out 4", "out 5", "out 6", "out 7", "out 8", "err 0"]
    assert log(*err) == ["err 3", "err 4", "err 5", "err 6", "err 7", "err 8"]
    assert log(out[0], *err) == ["out 0", "err 4", "err 5", "err 6", "err 7", "err 8"]
    assert log(*err, *out) == ["out 3", "out 4", "out 5", "out 6", "out 7", "out 8"]


def test_what_a_terminal_sends_is_keys() -> None:
    assert keys_of("j\x1b[A\x1bOB\x1b[5~q") == ["j", "up", "down", "page up", "q"]
    assert keys_of("\x1b") == ["escape"]
    assert keys_of("\r\x7fü\x01\x1b[200~") == ["enter", "backspace", "ü"]
