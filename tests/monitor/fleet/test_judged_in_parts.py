"""A judgement in parts, between which points are written, and series are added and dropped."""

from collections.abc import Callable, Sequence
from dataclasses import fields

import numpy as np
import pytest

from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge, judge_in_parts
from monitor.fleet.snapshot import Snapshot
from tests.monitor.fleet.fleets import NOW, add, key

NAMES = [f"stream-{n}" for n in range(4)]
COLUMNS = ("usage", "limit", "utilization", "saturation", "minute", "zone")
PARTS_BEFORE_WRITING = 3  # parts of a judgement before the last part, which writes the columns


def fleet_of(names: Sequence[str] = NAMES) -> Fleet:
    fleet = Fleet()
    for name in names:
        add(fleet, key(name))
    write(fleet, NOW - 1, 30_000.0)
    return fleet


def write(fleet: Fleet, minute: int, value: float) -> None:
    rows = np.arange(fleet.rings.size, dtype=np.int32)
    fleet.rings.write(rows, np.full(rows.size, minute, np.int32), np.full(rows.size, value, np.float32))
    fleet.rings.mark_read(rows, minute)


def judgement_by_name(fleet: Fleet) -> dict[str, list[str]]:
    """Return the judged columns by the name of the stream, as texts, so that NaN equals NaN."""
    return {
        series.key.resource: [str(getattr(fleet, name)[series.slot]) for name in COLUMNS]
        for series in fleet.series.values()
    }


def add_series(fleet: Fleet) -> None:
    add(fleet, key("another"))


def drop_series(fleet: Fleet) -> None:
    fleet.drop(key(NAMES[1]))


def revise_points(fleet: Fleet) -> None:
    write(fleet, NOW - 1, 50_000.0)


def test_a_judgement_is_written_in_its_last_part() -> None:
    fleet = fleet_of()
    earlier_judgement = judgement_by_name(fleet)
    parts = judge_in_parts(fleet, NOW, max_at_once=0)
    for _ in range(PARTS_BEFORE_WRITING):
        next(parts)
        assert judgement_by_name(fleet) == earlier_judgement
    assert next(parts, None) is None
    fleet_judged_at_once = fleet_of()
    judge(fleet_judged_at_once, NOW)
    assert judgement_by_name(fleet) == judgement_by_name(fleet_judged_at_once) != earlier_judgement


@pytest.mark.parametrize("part", range(PARTS_BEFORE_WRITING))
@pytest.mark.parametrize("change", [add_series, drop_series])
def test_series_added_or_dropped_between_parts_are_judged_as_in_one_part(
    change: Callable[[Fleet], None], part: int
) -> None:
    fleet, expected = fleet_of(), fleet_of()
    for number, _ in enumerate(judge_in_parts(fleet, NOW, max_at_once=0)):
        if number == part:
            change(fleet)
    change(expected)
    judge(expected, NOW)
    assert judgement_by_name(fleet) == judgement_by_name(expected)


def test_a_judgement_ends_even_if_series_change_between_all_parts() -> None:
    fleet, part_count = fleet_of(), 0
    for part_count, _ in enumerate(judge_in_parts(fleet, NOW, max_at_once=0), 1):
        add(fleet, key(f"new-{part_count}"))
    assert part_count < 10
    fleet_judged_at_once = fleet_of([*NAMES, *(f"new-{n + 1}" for n in range(part_count))])
    for either_fleet in (fleet, fleet_judged_at_once):
        write(either_fleet, NOW - 1, 30_000.0)
        judge(either_fleet, NOW)
    assert judgement_by_name(fleet) == judgement_by_name(fleet_judged_at_once)


def test_a_point_that_is_revised_between_parts_is_judged_by_its_last_value_at_the_next_judgement() -> None:
    fleet = fleet_of()
    parts = judge_in_parts(fleet, NOW, max_at_once=0)
    next(parts)
    revise_points(fleet)
    assert [*parts]
    judge(fleet, NOW)
    expected = fleet_of()
    revise_points(expected)
    judge(expected, NOW)
    assert judgement_by_name(fleet) == judgement_by_name(expected)


def test_a_small_fleet_is_judged_in_one_part() -> None:
    fleet = fleet_of()
    assert [*judge_in_parts(fleet, NOW)] == []
    assert np.isfinite(fleet.usage[: fleet.size]).all()


def test_a_snapshot_copied_in_parts_equals_a_snapshot_copied_at_once() -> None:
    fleet = fleet_of()
    judge(fleet, NOW)
    parts, snapshot_in_parts = Snapshot.copy_in_parts(fleet, {"1": "one"}), None
    while snapshot_in_parts is None:
        try:
            next(parts)
        except StopIteration as ended:
            snapshot_in_parts = ended.value
    snapshot_at_once = Snapshot.of(fleet, {"1": "one"})
    for column in fields(Snapshot):
        in_parts, at_once = getattr(snapshot_in_parts, column.name), getattr(snapshot_at_once, column.name)
        has_members = column.name in {"reach", "causes"}  # each member is an array
        for value, expected in zip(in_parts, at_once, strict=True) if has_members else [(in_parts, at_once)]:
            equal_nan = np.issubdtype(np.asarray(value).dtype, np.floating)
            assert np.array_equal(value, expected, equal_nan=equal_nan), column.name


@pytest.mark.parametrize("change", [add_series, drop_series, lambda fleet: judge(fleet, NOW)])
def test_the_state_of_a_fleet_changes_with_its_series_and_their_judgement(
    change: Callable[[Fleet], None],
) -> None:
    fleet = fleet_of()
    earlier_state = fleet.state
    revise_points(fleet)
    assert fleet.state == earlier_state
    change(fleet)
    assert fleet.state != earlier_state
