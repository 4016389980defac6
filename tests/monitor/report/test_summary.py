"""The content and the order of a summary."""

import pytest

from monitor.fleet.fleet import Fleet
from monitor.report.summary import (
    MAX_BLIND_SPOTS,
    MAX_COMMANDS,
    MAX_FAILURES,
    MAX_WORST,
    Summary,
    summarize,
)
from rules.band import Zone
from tests.monitor.fleet.fleets import ACCOUNT, NOW, key
from tests.monitor.report.scans import add_unobservable_series, add_used_series, scan_report, stream


def summary_of(fleet: Fleet, *failures: str) -> Summary:
    """Return the summary of a fleet. failures: sentences about failed reads."""
    return summarize(scan_report(fleet, failures), {})


def test_the_worst_series_are_the_most_urgent_even_within_their_band_but_no_stale_ones() -> None:
    fleet = Fleet()
    add_used_series(fleet, stream("within"), (180, 0.5), limit=1000)
    add_used_series(fleet, stream("near"), (180, 0.95), limit=1000)
    add_used_series(fleet, stream("throttled"), (180, 0.2), limit=1000, throttled_counts=[0, 3, 0])
    add_used_series(fleet, stream("stale"), limit=1000)
    summary = summary_of(fleet)
    assert [(item.row.key.resource, item.row.zone) for item in summary.worst.items] == [
        ("throttled", Zone.SATURATED),
        ("near", Zone.NEAR),
        ("within", Zone.WITHIN),
    ]
    assert [item.since for item in summary.worst.items] == [(NOW - 1) * 60, None, None]
    assert {zone: number for zone, number in summary.counts.items() if number} == {
        Zone.SATURATED: 1,
        Zone.NEAR: 1,
        Zone.WITHIN: 1,
        Zone.STALE: 1,
    }


def test_the_number_of_unlisted_series_above_their_band_is_given() -> None:
    fleet = Fleet()
    for number in range(MAX_WORST + 2):
        add_used_series(fleet, stream(f"s{number}"), (180, 0.8), limit=1000)
    add_used_series(fleet, stream("within"), (180, 0.5), limit=1000)
    summary = summary_of(fleet)
    assert (len(summary.worst.items), summary.worst.omitted) == (MAX_WORST, 2)


@pytest.mark.parametrize(
    ("runs", "minutes_above", "is_repeated"),  # None: the series is not listed
    [
        ([(150, 0.5), (30, 0.8)], 30, False),
        ([(150, 0.5), (20, 0.8), (10, 0.95)], 30, False),
        ([(100, 0.5), (10, 0.8), (50, 0.5), (20, 0.8)], 20, True),
        ([(10, 0.5), (5, 0.8)], 5, False),  # no samples before the last 15 minutes
        ([(180, 0.8)], None, False),  # above the band all the time
        ([(90, 0.8), (90, 0.5)], None, False),  # no longer above the band
        ([(90, 0.5), (90, 0.1)], None, False),  # left the band downwards
    ],
)
def test_series_that_rose_above_their_band_within_three_hours_are_listed(
    runs: list[tuple[int, float]], minutes_above: int | None, is_repeated: bool
) -> None:
    fleet = Fleet()
    add_used_series(fleet, stream("orders"), *runs, limit=1000)
    newly_above = [(item.since, item.repeated) for item in summary_of(fleet).newly_above.items]
    expected = [] if minutes_above is None else [((NOW - minutes_above + 1) * 60, is_repeated)]
    assert newly_above == expected


def test_series_that_rose_for_the_first_time_come_first_beginning_with_the_latest() -> None:
    fleet = Fleet()
    add_used_series(fleet, stream("repeated"), (20, 0.8), (155, 0.5), (5, 0.8), limit=1000)
    add_used_series(fleet, stream("early"), (100, 0.5), (80, 0.8), limit=1000)
    add_used_series(fleet, stream("late"), (170, 0.5), (10, 0.8), limit=1000)
    assert [item.row.key.resource for item in summary_of(fleet).newly_above.items] == [
        "late",
        "early",
        "repeated",
    ]


def test_a_throttled_series_counts_as_above_its_band() -> None:
    fleet = Fleet()
    add_used_series(fleet, stream("bursts"), (180, 0.2), limit=1000, throttled_counts=[5, 5])
    (item,) = summary_of(fleet).newly_above.items
    assert item.since == (NOW - 1) * 60


def test_each_reason_and_command_is_listed_once_with_the_most_frequent_reason_first() -> None:
    fleet = Fleet()
    add_unobservable_series(fleet, stream("one"), "no metric has it")
    for number in range(MAX_COMMANDS + 1):
        for signal in ("s3.prefix_read_rate", "s3.prefix_write_rate"):
            add_unobservable_series(fleet, key(f"logs{number}", signal), "not enabled", f"aws s3api {number}")
    blind_spots = summary_of(fleet).blind_spots
    assert [(spot.reason, spot.series_count) for spot in blind_spots.items] == [
        ("not enabled", 2 * (MAX_COMMANDS + 1)),
        ("no metric has it", 1),
    ]
    commands = blind_spots.items[0].commands
    assert commands.omitted == 1
    assert [(len(keys), command) for keys, command in commands.items] == [
        (2, f"aws s3api {number}") for number in range(MAX_COMMANDS)
    ]
    assert blind_spots.omitted == 0


def test_long_lists_of_the_summary_are_cut_and_the_omitted_entries_counted() -> None:
    fleet = Fleet()
    for number in range(MAX_BLIND_SPOTS + 3):
        add_unobservable_series(fleet, stream(f"s{number}"), f"reason {number}")
    summary = summary_of(fleet, *(f"sentence {number}" for number in range(MAX_FAILURES + 4)))
    assert (len(summary.blind_spots.items), summary.blind_spots.omitted) == (MAX_BLIND_SPOTS, 3)
    assert (len(summary.failures.items), summary.failures.omitted) == (MAX_FAILURES, 4)


def test_the_summary_names_filters_accounts_and_regions() -> None:
    summary = summarize(scan_report(Fleet()), {"service": ["kinesis"], "signal": None, "region": []})
    assert summary.requested == {"service": ["kinesis"]}
    assert summary.regions_by_account == {f"production ({ACCOUNT})": ["eu-west-1", "us-east-1"]}
    assert summary.location(stream("a")) == "production, eu-west-1"
    assert summary.location(stream("a")._replace(account="210987654321")) == "210987654321, eu-west-1"


def test_the_sum_of_idle_dollars_has_only_purchases_with_a_known_price() -> None:
    fleet = Fleet()
    add_used_series(fleet, stream("a", "us-east-1"), (180, 0.08), limit=8 * 2**20)
    add_used_series(fleet, stream("b", "us-east-1"), (180, 0.08), limit=8 * 2**20)
    add_used_series(fleet, stream("c"), (180, 0.08), limit=8 * 2**20)
    summary = summary_of(fleet)
    assert summary.idle_dollars_per_month == pytest.approx(12 * 0.015 * 730.5)
    assert (summary.unpriced, summary.price_sources) == (
        1,
        ["https://aws.amazon.com/kinesis/data-streams/pricing/"],
    )
