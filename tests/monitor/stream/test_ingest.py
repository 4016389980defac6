import asyncio
import math

import numpy as np
import pytest

from collectors.base import Metric
from monitor.fleet import Fleet
from monitor.stream.envelope import Refused
from monitor.stream.ingest import Ingest
from monitor.stream.source import source_of
from monitor.stream.writer import SLICE
from tests.monitor.stream.bodies import ACCOUNT, NOW, REGION, Update, delivery, lines, message
from tests.monitor.stream.fleets import (
    age,
    calls,
    counted,
    cpu,
    fleet_of,
    ingest_of,
    instances,
    row,
    value,
    watch,
    written,
)

ORDERS = written.of(StreamName="orders")
UPDATE = Update()


async def taken(fleet: Fleet, *updates: Update) -> Ingest:
    ingest = ingest_of(fleet)
    await ingest.take(delivery(lines(updates)))
    ingest.close()
    return ingest


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param(written.of(StreamName="orders"), 600.0, id="Sum"),
        pytest.param(age.of(StreamName="orders"), 400.0, id="Maximum"),
        pytest.param(calls.of(StreamName="orders"), 2.0, id="SampleCount"),
        pytest.param(cpu.of(AutoScalingGroupName="web"), 300.0, id="Average"),
        pytest.param(instances.of(AutoScalingGroupName="web"), 200.0, id="Minimum"),
    ],
)
@pytest.mark.parametrize("form", ["json", "otlp 1.0", "otlp 0.7"])
async def test_each_statistic_comes_from_its_number(metric: Metric, expected: float, form: str) -> None:
    fleet = fleet_of()
    update = UPDATE.but(
        namespace=metric.namespace, metric=metric.name, dimensions=metric.dimensions, unit="None"
    )
    record = lines([update]) if form == "json" else message([update], old=form.endswith("7"))
    ingest = ingest_of(fleet)
    await ingest.take(delivery(record))
    assert value(fleet, metric) == expected
    assert counted(ingest, "written") == 1
    assert ingest.arrived.is_set()
    ingest.close()


async def test_what_it_writes_says_that_it_came_by_stream() -> None:
    fleet = fleet_of()
    await taken(fleet, UPDATE)
    by_metric = {
        series.key.resource: series
        for series in fleet.series.values()
        if series.key.signal == "IncomingBytes"
    }
    assert source_of(fleet, by_metric["orders"]) == "stream"
    assert source_of(fleet, by_metric["payments"]) is None
    place = row(fleet, ORDERS)
    at = np.array([place], np.int32), fleet.rings.newest[[place]]
    fleet.rings.write(*at, np.ones(1, np.float32))  # as a poll does
    assert source_of(fleet, by_metric["orders"]) == "poll"


@pytest.mark.parametrize(
    ("unit", "expected", "outcome"),
    [
        ("Bytes", 600.0, "written"),
        ("Kilobytes", 600_000.0, "written"),
        ("None", 600.0, "written"),
        ("Count", 600.0, "written"),
        ("Furlongs", 600.0, "written"),
        ("Percent", math.nan, "unit"),
        ("Milliseconds", math.nan, "unit"),
    ],
)
async def test_units_are_converted_and_contradictions_refused(
    unit: str, expected: float, outcome: str
) -> None:
    fleet = fleet_of()
    ingest = await taken(fleet, UPDATE.but(unit=unit))
    assert value(fleet, ORDERS) == pytest.approx(expected, nan_ok=True)
    assert counted(ingest, outcome) == 1


async def test_a_count_of_samples_has_no_unit() -> None:
    fleet = fleet_of()
    await taken(fleet, UPDATE.but(metric="GetRecords.Success", unit="Count"))
    assert value(fleet, calls.of(StreamName="orders")) == 2.0


@pytest.mark.parametrize(
    ("ago", "outcome"), [(-5, "written"), (-6, "future"), (179, "written"), (180, "late"), (10**6, "late")]
)
async def test_the_window_and_five_minutes_ahead_are_accepted(ago: int, outcome: str) -> None:
    fleet = fleet_of()
    ingest = await taken(fleet, UPDATE.but(ago=ago))
    assert counted(ingest, outcome) == 1
    assert math.isnan(value(fleet, ORDERS, ago)) == (outcome != "written")


async def test_late_and_revised_points_are_written_in_place() -> None:
    fleet = fleet_of()
    await taken(fleet, UPDATE, UPDATE.but(ago=30, sum=1.0), UPDATE.but(sum=7.0), UPDATE.but(ago=2, sum=2.0))
    assert [value(fleet, ORDERS, ago) for ago in (30, 2, 1)] == [1.0, 2.0, 7.0]


async def test_a_request_that_comes_again_changes_nothing_even_when_later_points_came() -> None:
    fleet = fleet_of()
    ingest = ingest_of(fleet)
    first = delivery(lines([UPDATE]), request="a")
    await ingest.take(first)
    await ingest.take(delivery(lines([UPDATE.but(sum=7.0)]), request="b"))
    await ingest.take(first)
    assert value(fleet, ORDERS) == 7.0
    await ingest.take(delivery(lines([UPDATE.but(sum=8.0)]), request="a"))  # another body is another request
    assert value(fleet, ORDERS) == 8.0
    ingest.close()


async def test_what_nobody_uses_is_counted_by_namespace() -> None:
    ingest = ingest_of(fleet_of())
    idle = UPDATE.but(namespace="AWS/EBS", metric="VolumeReadOps", unit="Count")
    await ingest.take(delivery(lines([UPDATE, idle, idle]), message([idle, idle, UPDATE])))
    assert counted(ingest, "unused") == 4
    assert counted(ingest, "written") == 2
    assert ingest.telemetry.unused.labels("AWS/EBS")._value.get() == 4
    ingest.close()


async def test_an_unknown_resource_has_its_cell_looked_at_again_but_not_too_often() -> None:
    asked: list[tuple[tuple[str, str], str]] = []
    fleet = fleet_of()
    now = NOW
    ingest = ingest_of(fleet, lambda cell, service: asked.append((cell, service)), lambda: now)
    new = UPDATE.but(dimensions=(("StreamName", "new"),))
    elsewhere = new.but(account="999999999999")
    await ingest.take(
        delivery(lines([UPDATE, new, new.but(dimensions=(("StreamName", "newer"),)), elsewhere]))
    )
    assert asked == [((ACCOUNT, REGION), "kinesis")]
    assert counted(ingest, "unknown") == 3
    newest = lines([new, new.but(dimensions=(("StreamName", "newest"),))])
    for later, times in ((30, 1), (61, 2), (200, 2)):
        now = NOW + later
        await ingest.take(delivery(newest, request=str(later)))
        assert len(asked) == times  # in the end it is known that a look did not find it
    watch(fleet, written.of(StreamName="new"))
    await ingest.take(delivery(lines([new.but(sum=5.0)]), request="3"))
    assert value(fleet, written.of(StreamName="new")) == 5.0
    ingest.close()


async def test_points_follow_their_metric_to_another_row() -> None:
    fleet = fleet_of()
    ingest = ingest_of(fleet)
    await ingest.take(delivery(lines([UPDATE])))
    (first,) = [key for key, series in fleet.series.items() if series.place == 0]
    fleet.drop(first)
    fleet.release()
    watch(fleet, written.of(StreamName="other"))
    await ingest.take(delivery(lines([UPDATE.but(sum=1.0)]), request="2"))
    assert math.isnan(value(fleet, written.of(StreamName="other")))
    watch(fleet, ORDERS)
    await ingest.take(delivery(lines([UPDATE.but(sum=2.0)]), request="3"))
    assert value(fleet, ORDERS) == 2.0
    ingest.close()


async def test_a_body_of_which_every_record_is_bad_is_refused_and_its_pieces_kept() -> None:
    ingest = ingest_of(fleet_of())
    with pytest.raises(Refused, match="every record is bad"):
        await ingest.take(delivery(b"no metric\n", b"\xff\xfe"))
    assert [letter.piece for letter in ingest.letters] == ["no metric\n", "\\xff\\xfe"]
    await ingest.take(delivery(b"no metric\n", lines([UPDATE])))
    assert ingest.letters.count == 3
    assert ingest.telemetry.bad.labels("otlp")._value.get() == 3
    ingest.close()


async def test_the_loop_goes_on_while_much_is_written() -> None:
    ingest, turns = ingest_of(fleet_of()), 0
    decoded = ingest._decode(delivery(lines([UPDATE.but(ago=n % 100) for n in range(20_000)])))
    assert decoded
    writing = asyncio.create_task(ingest._writer.write(decoded.points, decoded.names, NOW))
    while not writing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 20_000 / SLICE
    ingest.close()


async def test_a_number_that_float32_cannot_hold_is_missing() -> None:
    fleet = fleet_of()
    ingest = await taken(fleet, UPDATE.but(sum=1e300), UPDATE.but(ago=2, sum=math.nan), UPDATE.but(ago=3))
    assert [value(fleet, ORDERS, ago) for ago in (1, 2, 3)] == pytest.approx(
        [math.nan, math.nan, 600], nan_ok=True
    )
    assert counted(ingest, "missing") == 2


async def test_names_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.stream.names.MOST", 2)
    fleet = fleet_of()
    ingest = ingest_of(fleet)
    for turn in range(5):
        await ingest.take(delivery(lines([UPDATE.but(sum=turn)]), message([UPDATE]), request=str(turn)))
        assert value(fleet, ORDERS) == 600.0
        assert ingest._names.spellings <= 3
    ingest.close()
