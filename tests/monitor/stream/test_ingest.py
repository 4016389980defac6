"""Points of a stream in the fleet: statistics, units, revisions and duplicates."""

import asyncio
import math

import numpy as np
import pytest

from collectors.base import Metric
from monitor.fleet.fleet import Fleet
from monitor.fleet.origin import source_of
from monitor.lib.byte_budget import ByteBudgetExceededError
from monitor.stream.decode import decode_records
from monitor.stream.discovery import Discovery
from monitor.stream.envelope import EnvelopeError
from monitor.stream.fleet_writer import SLICE_POINTS, FleetWriter
from monitor.stream.ingest import Ingest, IngestOptions
from monitor.stream.interner import NameInterner
from tests.monitor.stream.bodies import ACCOUNT, NOW, REGION, Update, delivery, lines, message
from tests.monitor.stream.fleets import (
    add_series,
    count_of,
    cpu_utilization,
    fleet_of,
    get_records_calls,
    incoming_bytes,
    ingest_of,
    instances_in_service,
    iterator_age,
    outcome_count,
    row,
    value,
)
from tests.registries import DECLARED
from tests.telemetries import Telemetries

ORDERS = incoming_bytes.of(StreamName="orders")
UPDATE = Update()


async def ingest_updates(fleet: Fleet, *updates: Update) -> Ingest:
    """Ingest the points of updates, and return the ingest."""
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines(updates)))
    ingest.close()
    return ingest


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param(incoming_bytes.of(StreamName="orders"), 600.0, id="Sum"),
        pytest.param(iterator_age.of(StreamName="orders"), 400.0, id="Maximum"),
        pytest.param(get_records_calls.of(StreamName="orders"), 2.0, id="SampleCount"),
        pytest.param(cpu_utilization.of(AutoScalingGroupName="web"), 300.0, id="Average"),
        pytest.param(instances_in_service.of(AutoScalingGroupName="web"), 200.0, id="Minimum"),
    ],
)
@pytest.mark.parametrize("form", ["json", "otlp 1.0", "otlp 0.7"])
async def test_each_statistic_is_read_from_its_own_field_of_an_update(
    metric: Metric, expected: float, form: str
) -> None:
    fleet = fleet_of()
    update = UPDATE.but(
        namespace=metric.namespace, metric=metric.name, dimensions=metric.dimensions, unit="None"
    )
    record = lines([update]) if form == "json" else message([update], old=form.endswith("7"))
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(record))
    assert value(fleet, metric) == expected
    assert outcome_count(ingest, "written") == 1
    assert ingest.has_new_points.is_set()
    ingest.close()


async def test_the_source_of_streamed_samples_is_stream_until_a_poll_writes_points() -> None:
    fleet = fleet_of()
    await ingest_updates(fleet, UPDATE)
    series_by_resource = {
        series.key.resource: series
        for series in fleet.series.values()
        if series.key.signal == "IncomingBytes"
    }
    assert source_of(fleet, series_by_resource["orders"]) == "stream"
    assert source_of(fleet, series_by_resource["payments"]) is None
    orders_row = row(fleet, ORDERS)
    row_and_minute = np.array([orders_row], np.int32), fleet.rings.newest_point[[orders_row]]
    fleet.rings.write(*row_and_minute, np.ones(1, np.float32))  # as a poll does
    assert source_of(fleet, series_by_resource["orders"]) == "poll"


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
async def test_values_in_compatible_units_are_converted_and_values_in_incompatible_units_dropped(
    unit: str, expected: float, outcome: str
) -> None:
    fleet = fleet_of()
    ingest = await ingest_updates(fleet, UPDATE.but(unit=unit))
    assert value(fleet, ORDERS) == pytest.approx(expected, nan_ok=True)
    assert outcome_count(ingest, outcome) == 1


async def test_the_unit_of_a_sample_count_is_ignored() -> None:
    fleet = fleet_of()
    await ingest_updates(fleet, UPDATE.but(metric="GetRecords.Success", unit="Count"))
    assert value(fleet, get_records_calls.of(StreamName="orders")) == 2.0


@pytest.mark.parametrize(
    ("minutes_ago", "outcome"),
    [(-5, "written"), (-6, "future"), (179, "written"), (180, "late"), (10**6, "late")],
)
async def test_points_within_the_window_and_up_to_five_minutes_ahead_are_written(
    minutes_ago: int, outcome: str
) -> None:
    fleet = fleet_of()
    ingest = await ingest_updates(fleet, UPDATE.but(minutes_ago=minutes_ago))
    assert outcome_count(ingest, outcome) == 1
    assert math.isnan(value(fleet, ORDERS, minutes_ago)) == (outcome != "written")


async def test_late_and_revised_points_are_written_in_place() -> None:
    fleet = fleet_of()
    await ingest_updates(
        fleet,
        UPDATE,
        UPDATE.but(minutes_ago=30, sum=1.0),
        UPDATE.but(sum=7.0),
        UPDATE.but(minutes_ago=2, sum=2.0),
    )
    assert [value(fleet, ORDERS, minutes_ago) for minutes_ago in (30, 2, 1)] == [1.0, 2.0, 7.0]


async def test_a_repeated_request_does_not_overwrite_later_points() -> None:
    fleet = fleet_of()
    ingest = ingest_of(fleet)
    first = delivery(lines([UPDATE]), request="a")
    await ingest.ingest(first)
    await ingest.ingest(delivery(lines([UPDATE.but(sum=7.0)]), request="b"))
    await ingest.ingest(first)
    assert value(fleet, ORDERS) == 7.0
    # Another body with the same id is another request.
    await ingest.ingest(delivery(lines([UPDATE.but(sum=8.0)]), request="a"))
    assert value(fleet, ORDERS) == 8.0
    ingest.close()


async def test_unused_metrics_are_counted_by_namespace() -> None:
    ingest = ingest_of(fleet_of())
    unused = UPDATE.but(namespace="AWS/IoT", metric="PublishIn.Success", unit="Count")
    await ingest.ingest(delivery(lines([UPDATE, unused, unused]), message([unused, unused, UPDATE])))
    assert outcome_count(ingest, "unused") == 4
    assert outcome_count(ingest, "written") == 2
    assert count_of(ingest.telemetry.unused, "AWS/IoT") == 4
    ingest.close()


async def test_unknown_resources_request_inventories_at_a_limited_rate() -> None:
    requested: list[tuple[tuple[str, str], str]] = []
    fleet = fleet_of()
    now = NOW
    ingest = ingest_of(fleet, lambda cell, service: requested.append((cell, service)), lambda: now)
    new = UPDATE.but(dimensions=(("StreamName", "new"),))
    elsewhere = new.but(account="999999999999")
    await ingest.ingest(
        delivery(lines([UPDATE, new, new.but(dimensions=(("StreamName", "newer"),)), elsewhere]))
    )
    assert requested == [((ACCOUNT, REGION), "kinesis")]
    assert outcome_count(ingest, "unknown") == 3
    with_newest = lines([new, new.but(dimensions=(("StreamName", "newest"),))])
    for seconds, request_count in ((30, 1), (61, 2), (200, 2)):
        now = NOW + seconds
        await ingest.ingest(delivery(with_newest, request=str(seconds)))
        assert len(requested) == request_count  # each new name requests an inventory once
    add_series(fleet, incoming_bytes.of(StreamName="new"))
    await ingest.ingest(delivery(lines([new.but(sum=5.0)]), request="3"))
    assert value(fleet, incoming_bytes.of(StreamName="new")) == 5.0
    ingest.close()


async def test_points_follow_their_metric_to_another_row() -> None:
    fleet = fleet_of()
    ingest = ingest_of(fleet)
    await ingest.ingest(delivery(lines([UPDATE])))
    (first,) = [key for key, series in fleet.series.items() if series.slot == 0]
    fleet.drop(first)
    fleet.reclaim()
    add_series(fleet, incoming_bytes.of(StreamName="other"))
    await ingest.ingest(delivery(lines([UPDATE.but(sum=1.0)]), request="2"))
    assert math.isnan(value(fleet, incoming_bytes.of(StreamName="other")))
    add_series(fleet, ORDERS)
    await ingest.ingest(delivery(lines([UPDATE.but(sum=2.0)]), request="3"))
    assert value(fleet, ORDERS) == 2.0
    ingest.close()


async def test_a_body_with_only_malformed_records_is_rejected_and_its_pieces_are_stored() -> None:
    ingest = ingest_of(fleet_of())
    with pytest.raises(EnvelopeError, match="no record could be decoded"):
        await ingest.ingest(delivery(b"no metric\n", b"\xff\xfe"))
    assert [letter.piece for letter in ingest.dead_letters.latest()] == ["\\xff\\xfe", "no metric\n"]
    await ingest.ingest(delivery(b"no metric\n", lines([UPDATE])))
    assert ingest.dead_letters.count == 3
    assert count_of(ingest.telemetry.decode_errors, "otlp") == 3
    ingest.close()


async def test_the_event_loop_is_not_blocked_while_many_points_are_written() -> None:
    writer = FleetWriter(fleet_of(), DECLARED, Telemetries().stream, Discovery())
    names, turns = NameInterner(DECLARED.statistics), 0
    records = [lines([UPDATE.but(minutes_ago=n % 100) for n in range(2000)])] * 10
    points, _ = decode_records(records, names, DECLARED.decoded_statistics)
    writing = asyncio.create_task(writer.write(points, names, NOW))
    while not writing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 20_000 / SLICE_POINTS


async def test_a_number_that_float32_cannot_hold_is_missing() -> None:
    fleet = fleet_of()
    ingest = await ingest_updates(
        fleet, UPDATE.but(sum=1e300), UPDATE.but(minutes_ago=2, sum=math.nan), UPDATE.but(minutes_ago=3)
    )
    assert [value(fleet, ORDERS, minutes_ago) for minutes_ago in (1, 2, 3)] == pytest.approx(
        [math.nan, math.nan, 600], nan_ok=True
    )
    assert outcome_count(ingest, "missing") == 2


async def test_an_interner_with_too_many_names_is_replaced() -> None:
    fleet = fleet_of()
    ingest = ingest_of(fleet, options=IngestOptions(max_interner_bytes=2000))
    for turn in range(5):
        await ingest.ingest(delivery(lines([UPDATE.but(sum=turn)]), message([UPDATE]), request=str(turn)))
        assert value(fleet, ORDERS) == 600.0
        assert len(ingest.names.by_number) <= 3
    ingest.close()


async def test_points_wait_while_a_first_inventory_may_discover_their_resource() -> None:
    fleet, running = fleet_of(), {"kinesis"}
    new = incoming_bytes.of(StreamName="new")
    ingest = ingest_of(fleet, may_discover=lambda cell, service: service in running)
    first, second = (
        Update(dimensions=new.dimensions, minutes_ago=minutes_ago, sum=60.0 * minutes_ago)
        for minutes_ago in (2, 1)
    )
    await ingest.ingest(delivery(lines([UPDATE, first])))
    assert (outcome_count(ingest, "written"), outcome_count(ingest, "unknown")) == (1, 0)

    add_series(fleet, new)
    await ingest.ingest(delivery(lines([second])))
    await ingest.ingest(delivery(lines([second.but(sum=30.0)])))  # revised, before the inventory ended
    running.clear()
    await ingest.write_early()
    assert [value(fleet, new, minutes_ago) for minutes_ago in (2, 1)] == [120.0, 30.0]
    assert outcome_count(ingest, "unknown") == 0


async def test_points_of_undiscovered_resources_are_unknown_after_the_inventory() -> None:
    running = {"kinesis"}
    ingest = ingest_of(fleet_of(), may_discover=lambda cell, service: service in running)
    await ingest.ingest(delivery(lines([Update(dimensions=(("StreamName", "new"),))])))
    await ingest.write_early()
    assert outcome_count(ingest, "unknown") == 0
    running.clear()
    await ingest.write_early()
    assert outcome_count(ingest, "unknown") == 1


async def test_a_request_with_too_many_early_points_is_rejected() -> None:
    ingest = ingest_of(
        fleet_of(), may_discover=lambda cell, service: True, options=IngestOptions(max_early_points=1)
    )
    new = [Update(dimensions=(("StreamName", f"new-{n}"),)) for n in range(2)]
    with pytest.raises(ByteBudgetExceededError):
        await ingest.ingest(delivery(lines(new)))
