"""The list of series: its content, order, filters and cursor."""

import re
from typing import get_args

import pytest
from rich.cells import cell_len

from monitor.fleet.query import Sort, run_query
from monitor.top.filters import SeriesView
from rules.band import Zone
from tests.monitor.fleet.fleets import REGION, key
from tests.monitor.top.harness import FAST_REFRESH, NARROW, WIDE, Headroom, run_top

STREAMS = (
    ("clicks", Zone.SATURATED, 0.5),
    ("orders", Zone.NEAR, 0.95),
    ("payments", Zone.ABOVE, 0.8),
    ("audit", Zone.WITHIN, 0.5),
    ("idle", Zone.BELOW, 0.1),
)
NAMES = [name for name, _, _ in STREAMS]


@pytest.fixture(autouse=True)
async def streams(headroom: Headroom) -> None:
    """Publish STREAMS on the server."""
    await headroom.publish_streams(*STREAMS)


async def test_the_most_urgent_series_come_first_with_zone_bar_usage_and_throttling(
    headroom: Headroom,
) -> None:
    async with run_top(headroom.address) as user:
        screen = await user.wait_for("█···░░░···")  # the bar marks the band once the detail is loaded
        assert user.rows == NAMES
    rows = [line for line in screen.split("\n") if "stream_write_by…" in line]
    assert rows[0] == "saturated ████▓░░··· 50 % 500 B/s of 1000 B/s 5 /s over 3 h stream_write_by… clicks"
    assert rows[1].startswith("near ████▓▓▓███ 95 % 950 B/s of 1000 B/s 0 ")
    assert rows[4].startswith("below █···░░░··· 10 % 100 B/s of 1000 B/s 0 ")


async def test_the_header_counts_zones_and_shows_the_age_of_the_data(headroom: Headroom) -> None:
    (series,) = await headroom.publish_streams(STREAMS[0])
    headroom.fire_alert(series)
    async with run_top(headroom.address) as user:
        screen = await user.wait_for("newest sample")
    zones, status, view, *_ = screen.split("\n")
    assert zones == "saturated 1 near 1 above 1 within 1 below 1 stale 0 unobservable 0"
    assert status.startswith(f"{headroom.address} · newest sample ")
    assert status.endswith(" · 1 firing · 0 blind")
    assert view == "5 series · by urgency"


async def test_details_of_the_series_under_the_cursor_are_below_the_list(headroom: Headroom) -> None:
    async with run_top(headroom.address) as user:
        await user.press("j")
        screen = await user.wait_for("kinesis.stream_write_bytes of orders", "production")
    assert f"950 B/s of 1000 B/s (api), throttled 0; production, {REGION}; sample " in screen


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_the_screen_fits_its_terminal(headroom: Headroom, size: tuple[int, int]) -> None:
    async with run_top(headroom.address, size=size) as user:
        await user.wait_for("production", "q Quit")
        lines = user.lines
    assert len(lines) == size[1]
    assert max(len(line) for line in lines) <= size[0]
    (row,) = (line for line in lines if line.startswith("saturated  "))
    wide_columns = "forecast", "three hours", "usage", "since", "region", "account"
    assert all((column in lines[3]) == (size == WIDE) for column in wide_columns)
    assert "50 %" in row and "5 /s" in row and "clicks" in row
    assert "q Quit" in lines[-1]


async def test_a_list_sorted_by_the_time_to_the_limit_shows_the_forecasts(headroom: Headroom) -> None:
    fleet = headroom.server.fleet
    slot = fleet.series[key("orders")].slot
    now = int(fleet.minute[slot])
    fleet.reach_probability[slot], fleet.history_bins[slot] = (0.1, 0.6, 0.8, 0.9), 1344
    fleet.reach_minutes[slot] = (now + 180, now + 200, now + 300)
    await headroom.server.publish()
    async with run_top(headroom.address, size=NARROW) as user:
        assert "forecast" not in await user.wait_for("by urgency")
        await user.press(*"s" * get_args(Sort).index("reach"))
        screen = await user.wait_for("by reach", "forecast▼")
        assert user.rows[0] == "orders"
        assert re.search(r"in \d+(-\d+)? (min|h|d), 60 %", screen)


async def test_top_survives_a_terminal_that_is_too_small(headroom: Headroom) -> None:
    async with run_top(headroom.address, size=(14, 5)) as user:
        await user.pilot.resize_terminal(6, 2)
        await user.pilot.resize_terminal(80, 24)
        await user.wait_for("saturated", "clicks")


async def test_rows_have_the_order_of_the_api_for_each_sort_key_and_direction(
    headroom: Headroom,
) -> None:
    snapshot = headroom.server.exposition.snapshot
    async with run_top(headroom.address) as user:
        for sort in (*get_args(Sort)[1:], "urgency"):
            for pressed_key, reverse in (("s", False), ("S", True)):
                await user.press("j", pressed_key)
                view = SeriesView(sort=sort, reverse=reverse)
                await user.wait_until(lambda view=view: user.app.snapshot.view == view)  # type: ignore[misc]
                slots = run_query(snapshot, view.query).slots
                assert user.rows == [snapshot.series[slot].key.resource for slot in slots]
                assert user.current == user.rows[0]
        assert user.rows == NAMES[::-1]
        assert "zone▲" in await user.wait_for("by urgency, reversed")


async def test_the_z_key_filters_by_each_zone_and_then_removes_the_filter(headroom: Headroom) -> None:
    async with run_top(headroom.address) as user:
        for name, zone, _ in STREAMS:
            await user.press("z")
            await user.wait_for(f"1 series · by urgency · filter zone:{zone.word}")
            assert user.rows == [name]
        await user.press("z")
        await user.wait_for("No series match · by urgency · filter zone:stale")
        await user.press("z", "z")
        await user.wait_for("5 series · by urgency")


async def test_a_typed_filter_selects_series(headroom: Headroom) -> None:
    async with run_top(headroom.address) as user:
        await user.press("slash", *"zone:near,above", "space", *"rd", "enter")
        await user.wait_for("1 series · by urgency · filter resource:rd zone:near,above")
        assert user.rows == ["orders"]
        await user.press("slash")
        assert "resource:rd zone:near,above" in user.screen
        await user.write("service:s3")
        await user.press("enter")
        await user.wait_for("No series match · by urgency · filter service:s3")
        assert user.rows == [] and user.current == ""
        assert "saturated 0 near 0" in user.screen


async def test_an_invalid_filter_is_reported_and_changes_nothing(headroom: Headroom) -> None:
    async with run_top(headroom.address) as user:
        await user.press("slash", *"zone:hot", "enter")
        await user.wait_for("zone: expected saturated, near, above, within, below, stale,")
        await user.press("escape")
        await user.wait_for("5 series · by urgency")
        assert user.app.view == SeriesView()


async def test_the_cursor_stays_on_the_first_row_until_it_is_moved_and_then_follows_its_series(
    headroom: Headroom,
) -> None:
    async with run_top(headroom.address, FAST_REFRESH) as user:
        await headroom.publish_streams(("orders", Zone.SATURATED, 0.95))
        await user.wait_until(lambda: user.rows[0] == "orders")
        assert user.current == "orders"
        await user.press("down")
        assert user.current == "clicks"
        await headroom.publish_streams(("clicks", Zone.WITHIN, 0.45))
        await user.wait_until(lambda: user.rows.index("clicks") == 3)
        assert user.current == "clicks"
        await user.press("g")
        assert user.current == "orders"
        await headroom.publish_streams(("payments", Zone.SATURATED, 0.99))
        await user.wait_until(lambda: user.rows[0] == "payments")
        assert user.current == "payments"


async def test_the_scroll_position_stays_when_rows_are_updated(headroom: Headroom) -> None:
    many = [(f"s{number:03}", Zone.WITHIN, 0.6) for number in range(60)]
    await headroom.publish_streams(*many)
    async with run_top(headroom.address, size=NARROW) as user:
        await user.press("end")
        assert user.current == user.rows[-1] == "idle"
        await user.press("pageup", "k")
        assert user.current in user.rows
        await user.press("home")
        user.table.scroll_to(y=30, animate=False)
        await user.pilot.pause()
        rows = user.rows
        user.app.poll()
        previous = user.app.snapshot
        await user.wait_until(lambda: user.app.snapshot is not previous)
        assert user.rows == rows and user.current == "clicks"
        await user.press("j")
        assert user.rows[0] == user.current == "orders"


async def test_a_click_moves_the_cursor_and_a_second_click_opens_the_series(headroom: Headroom) -> None:
    async with run_top(headroom.address) as user:
        await user.pilot.click(user.table, offset=(3, 3))
        assert user.current == "payments"
        await user.pilot.click(user.table, offset=(3, 3))
        await user.wait_for("payments Bytes written to a provisioned stream")


async def test_details_of_only_the_visible_series_are_requested(headroom: Headroom) -> None:
    await headroom.publish_streams(*((f"s{number:03}", Zone.BELOW, 0.2) for number in range(300)))
    async with run_top(headroom.address, size=NARROW) as user:
        await user.wait_for("200 of 305 series", "below 301")
        assert len(user.app.snapshot.page.items) == 200
        visible = {row.id for row in user.table.visible_items}
        await user.wait_until(lambda: user.app.snapshot.details.keys() == visible)
        previous = user.app.snapshot
        user.app.poll()
        await user.wait_until(lambda: user.app.snapshot is not previous)
        assert user.app.snapshot.details.keys() == visible


SHOWN_NAMES = {
    "[bold red]x[/bold red] [@click=app.quit]quit[/]": "[bold red]x[/bold red] [@click=app.quit]quit[/]",
    "a\x1b[2Jb\x07c\nd\te": r"a\x1b[2Jb\x07c\nd\te",
    "\u202egnp.exe": r"\u202egnp.exe",
    "日本語のストリーム": "日本語のストリーム",
}


@pytest.mark.parametrize(("name", "shown"), SHOWN_NAMES.items())
async def test_markup_and_control_characters_in_names_are_shown_as_text(
    headroom: Headroom, name: str, shown: str
) -> None:
    (series,) = await headroom.publish_streams((name, Zone.SATURATED, 0.99))
    headroom.fire_alert(series, summary=f"{name} is busy.")
    async with run_top(headroom.address, size=WIDE) as user:
        await user.wait_for(f"kinesis.stream_write_bytes of {shown}\n", "firing", "production")
        assert max(cell_len(line) for line in user.lines) <= WIDE[0]
        await user.press("enter")
        await user.wait_for(f"{shown} Bytes written", "Alert")
        await user.press("a")
        await user.wait_for("Acknowledge kinesis.stream_write_bytes of", shown.split(" [@", maxsplit=1)[0])
        await user.press("escape", "escape", "e")
        await user.wait_for(f"{shown} is busy.")


async def test_a_name_of_a_thousand_characters_is_shortened_so_that_all_columns_fit(
    headroom: Headroom,
) -> None:
    await headroom.publish_streams(("x" * 1000, Zone.SATURATED, 0.99))
    async with run_top(headroom.address, size=NARROW) as user:
        screen = await user.wait_for("production")
        assert "xxxxx…xxxxx" in screen and " clicks" in screen
        assert "990 B/s of 1000 B/s (api)" in screen
