"""The list of series: what it shows, and how it is sorted, filtered and kept in place."""

from typing import get_args

import pytest
from rich.cells import cell_len

from monitor.query import Sort, find
from monitor.top.view import View
from rules.band import Zone
from tests.monitor.fleets import REGION
from tests.monitor.top.stage import NARROW, OFTEN, WIDE, Headroom, at

STREAMS = (
    ("clicks", Zone.SATURATED, 0.5),
    ("orders", Zone.CRITICAL, 0.95),
    ("payments", Zone.ABOVE, 0.8),
    ("audit", Zone.WITHIN, 0.5),
    ("idle", Zone.BELOW, 0.1),
)
NAMES = [name for name, _, _ in STREAMS]


@pytest.fixture(autouse=True)
async def streams(headroom: Headroom) -> None:
    await headroom.stand(*STREAMS)


async def test_the_most_urgent_come_first_with_zone_bar_usage_and_refusals(headroom: Headroom) -> None:
    async with at(headroom.address) as user:
        screen = await user.sees("█···░░░···")  # marked with the band, of its closeup
        assert user.rows == NAMES
    rows = [line for line in screen.split("\n") if "stream_write_by…" in line]
    assert rows[0] == "saturated ████▓░░··· 50 % 500 B/s of 1000 B/s 5 /s over 3 h stream_write_by… clicks"
    assert rows[1].startswith("critical ████▓▓▓███ 95 % 950 B/s of 1000 B/s 0 ")
    assert rows[4].startswith("below █···░░░··· 10 % 100 B/s of 1000 B/s 0 ")


async def test_the_head_counts_zones_and_says_how_new_it_is(headroom: Headroom) -> None:
    (series,) = await headroom.stand(STREAMS[0])
    headroom.fire(series)
    async with at(headroom.address) as user:
        screen = await user.sees("newest sample")
    zones, news, view, *_ = screen.split("\n")
    assert zones == "saturated 1 critical 1 above 1 within 1 below 1 stale 0 unobservable 0"
    assert news.startswith(f"{headroom.address} · newest sample ")
    assert news.endswith(" · 1 firing · 0 blind")
    assert view == "5 series · by urgency"


async def test_all_of_one_series_is_told_below_the_list(headroom: Headroom) -> None:
    async with at(headroom.address) as user:
        await user.press("j")
        screen = await user.sees("kinesis.stream_write_bytes of orders", "production")
    assert f"950 B/s of 1000 B/s (api), refused 0; production, {REGION}; sample " in screen


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_it_fits(headroom: Headroom, size: tuple[int, int]) -> None:
    async with at(headroom.address, size=size) as user:
        await user.sees("production", "q Quit")
        lines = user.lines
    assert len(lines) == size[1]
    assert {len(line) for line in lines} == {size[0]}
    (first,) = (line for line in lines if line.startswith("saturated  "))
    told = "three hours", "usage", "since", "region", "account"
    assert all((column in lines[3]) == (size == WIDE) for column in told)
    assert "50 %" in first and "5 /s" in first and "clicks" in first
    assert "q Quit" in lines[-1]


async def test_a_terminal_that_is_too_small_shows_what_it_can(headroom: Headroom) -> None:
    async with at(headroom.address, size=(14, 5)) as user:
        await user.pilot.resize_terminal(6, 2)
        await user.pilot.resize_terminal(80, 24)
        await user.sees("saturated", "clicks")


async def test_each_key_sorts_as_the_api_does_and_both_ways(headroom: Headroom) -> None:
    snapshot = headroom.server.exposition.snapshot
    async with at(headroom.address) as user:
        for sort in (*get_args(Sort)[1:], "urgency"):
            for key_, reverse in (("s", False), ("S", True)):
                await user.press("j", key_)
                wanted = View(sort=sort, reverse=reverse)
                await user.until(lambda wanted=wanted: user.app.seen.view == wanted)  # type: ignore[misc]
                places = find(snapshot, wanted.query).places
                assert user.rows == [snapshot.series[place].key.resource for place in places]
                assert user.current == user.rows[0]
        assert user.rows == NAMES[::-1]
        assert "zone▲" in await user.sees("by urgency, reversed")


async def test_zones_one_by_one_and_all_again(headroom: Headroom) -> None:
    async with at(headroom.address) as user:
        for name, zone, _ in STREAMS:
            await user.press("z")
            await user.sees(f"1 series · by urgency · filter zone:{zone.word}")
            assert user.rows == [name]
        await user.press("z")
        await user.sees("No series matches · by urgency · filter zone:stale")
        await user.press("z", "z")
        await user.sees("5 series · by urgency")


async def test_a_filter_is_typed(headroom: Headroom) -> None:
    async with at(headroom.address) as user:
        await user.press("slash", *"zone:critical,above", "space", *"rd", "enter")
        await user.sees("1 series · by urgency · filter resource:rd zone:critical,above")
        assert user.rows == ["orders"]
        await user.press("slash")
        assert "resource:rd zone:critical,above" in user.screen
        await user.write("service:s3")
        await user.press("enter")
        await user.sees("No series matches · by urgency · filter service:s3")
        assert user.rows == [] and user.current == ""
        assert "saturated 0 critical 0" in user.screen


async def test_what_is_wrong_with_a_filter_is_said_and_changes_nothing(headroom: Headroom) -> None:
    async with at(headroom.address) as user:
        await user.press("slash", *"zone:hot", "enter")
        await user.sees("zone: expected saturated, critical, above, within, below, stale,")
        await user.press("escape")
        await user.sees("5 series · by urgency")
        assert user.app.view == View()


async def test_the_cursor_stays_on_the_first_until_it_is_moved_and_then_on_its_series(
    headroom: Headroom,
) -> None:
    async with at(headroom.address, OFTEN) as user:
        await headroom.stand(("orders", Zone.SATURATED, 0.95))
        await user.until(lambda: user.rows[0] == "orders")
        assert user.current == "orders"
        await user.press("down")
        assert user.current == "clicks"
        await headroom.stand(("clicks", Zone.WITHIN, 0.45))
        await user.until(lambda: user.rows.index("clicks") == 3)
        assert user.current == "clicks"
        await user.press("g")
        assert user.current == "orders"
        await headroom.stand(("payments", Zone.SATURATED, 0.99))
        await user.until(lambda: user.rows[0] == "payments")
        assert user.current == "payments"


async def test_what_was_scrolled_to_stays_in_sight(headroom: Headroom) -> None:
    many = [(f"s{number:03}", Zone.WITHIN, 0.6) for number in range(60)]
    await headroom.stand(*many)
    async with at(headroom.address, size=NARROW) as user:
        await user.press("end")
        assert user.current == user.rows[-1] == "idle"
        await user.press("pageup", "k")
        assert user.current in user.rows
        await user.press("home")
        user.table.scroll_to(y=30, animate=False)
        await user.pilot.pause()
        shown = user.rows
        user.app.follow()
        seen = user.app.seen
        await user.until(lambda: user.app.seen is not seen)
        assert user.rows == shown and user.current == "clicks"
        await user.press("j")
        assert user.rows[0] == user.current == "orders"


async def test_a_click_moves_the_cursor_and_another_one_opens(headroom: Headroom) -> None:
    async with at(headroom.address) as user:
        await user.pilot.click(user.table, offset=(3, 3))
        assert user.current == "payments"
        await user.pilot.click(user.table, offset=(3, 3))
        await user.sees("payments Bytes written to a provisioned stream")


async def test_only_a_page_is_asked_for(headroom: Headroom) -> None:
    await headroom.stand(*((f"s{number:03}", Zone.BELOW, 0.2) for number in range(300)))
    async with at(headroom.address, size=NARROW) as user:
        await user.sees("200 of 305 series", "below 301")
        assert len(user.app.seen.page.items) == 200
        shown = {row.id for row in user.table.visible_items}
        await user.until(lambda: user.app.seen.closeups.keys() == shown)
        seen = user.app.seen
        user.app.follow()
        await user.until(lambda: user.app.seen is not seen)
        assert user.app.seen.closeups.keys() == shown


NASTY = {
    "[bold red]x[/bold red] [@click=app.quit]quit[/]": "[bold red]x[/bold red] [@click=app.quit]quit[/]",
    "a\x1b[2Jb\x07c\nd\te": r"a\x1b[2Jb\x07c\nd\te",
    "\u202egnp.exe": r"\u202egnp.exe",
    "日本語のストリーム": "日本語のストリーム",
}


@pytest.mark.parametrize(("name", "shown"), NASTY.items())
async def test_names_are_shown_and_do_nothing(headroom: Headroom, name: str, shown: str) -> None:
    (series,) = await headroom.stand((name, Zone.SATURATED, 0.99))
    headroom.fire(series, summary=f"{name} is busy.")
    async with at(headroom.address, size=WIDE) as user:
        await user.sees(f"kinesis.stream_write_bytes of {shown}\n", "firing", "production")
        assert {cell_len(line) for line in user.lines} == {WIDE[0]}
        await user.press("enter")
        await user.sees(f"{shown} Bytes written", "Its alert")
        await user.press("a")
        await user.sees("Acknowledge kinesis.stream_write_bytes of", shown.split(" [@", maxsplit=1)[0])
        await user.press("escape", "escape", "e")
        await user.sees(f"{shown} is busy.")


async def test_a_name_of_a_thousand_characters_leaves_room_for_the_others(headroom: Headroom) -> None:
    await headroom.stand(("x" * 1000, Zone.SATURATED, 0.99))
    async with at(headroom.address, size=NARROW) as user:
        screen = await user.sees("production")
        assert "xxxxx…xxxxx" in screen and " clicks" in screen
        assert "990 B/s of 1000 B/s (api)" in screen
