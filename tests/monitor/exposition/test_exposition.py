"""The exposition of a fleet: its samples, and that rendering the changed parts alone changes no byte."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from collectors.base import Unobservable, per_second
from monitor.exposition.exposition import CHUNK_SIZE, Exposition
from monitor.exposition.families import FAMILIES
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.limits import why_unobservable_now
from monitor.fleet.namespaces import NEVER
from monitor.lib.label_names import exported_labels
from rules.band import Zone
from rules.limits import Limit, LimitSource
from tests.monitor.fleet.fleets import (
    ACCOUNT,
    NOW,
    REGION,
    SETTINGS,
    add,
    key,
    set_judgement,
    text,
    throttled_metric,
    traffic,
)

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]

GROUP_LABELS = {
    "aws_account": ACCOUNT,
    "aws_region": REGION,
    "aws_service": "kinesis",
    "signal": "stream_write_bytes",
}
ORDERS_LABELS = {**GROUP_LABELS, "resource": "orders"}
SERIES_FAMILIES = {family.name for family in FAMILIES}


def parse(exposition: Exposition) -> Samples:
    """Return every sample by family and labels; the parsers of both of Prometheus' formats must agree."""
    samples_by_format: list[Samples] = []
    for parse_format, end in ((prometheus, b""), (openmetrics, b"# EOF\n")):
        samples: Samples = {}
        for family in parse_format(text(exposition, end)):
            assert family.type == "gauge" and family.documentation
            for sample in family.samples:
                pairs = tuple(sorted(sample.labels.items()))
                assert pairs not in samples.setdefault(sample.name, {})
                samples[sample.name][pairs] = sample.value
        samples_by_format.append(samples)
    assert samples_by_format[0] == samples_by_format[1]
    return samples_by_format[0]


def publish_new(fleet: Fleet) -> Samples:
    """Publish a fleet and return its exported samples."""
    exposition = Exposition(fleet)
    asyncio.run(exposition.publish({}))
    return parse(exposition)


def label_pairs(**pairs: str) -> tuple[tuple[str, str], ...]:
    """Return labels, sorted, as `parse` does."""
    return tuple(sorted(pairs.items()))


def only_series_families(samples: Samples) -> Samples:
    """Return the samples of the families with one sample per series."""
    return {name: value_by_labels for name, value_by_labels in samples.items() if name in SERIES_FAMILIES}


def test_a_judged_series_exports_its_numbers_and_its_zone_and_the_time_of_its_sample() -> None:
    fleet = Fleet()
    set_judgement(fleet, add(fleet, key("orders")), Zone.SATURATED, usage=750.0, saturation=2.5)
    assert only_series_families(publish_new(fleet)) == {
        "headroom_usage": {label_pairs(**ORDERS_LABELS, unit="bytes/s"): 750.0},
        "headroom_limit": {label_pairs(**ORDERS_LABELS, unit="bytes/s", source="api"): 1000.0},
        "headroom_utilization_ratio": {label_pairs(**ORDERS_LABELS): 0.75},
        "headroom_saturation": {label_pairs(**ORDERS_LABELS): 2.5},
        "headroom_zone": {label_pairs(**ORDERS_LABELS): 3.0},
        "headroom_sample_timestamp_seconds": {label_pairs(**ORDERS_LABELS): NOW * 60.0},
    }


@pytest.mark.parametrize(
    ("zone", "number"),
    [
        (Zone.BELOW, -1),
        (Zone.WITHIN, 0),
        (Zone.ABOVE, 1),
        (Zone.NEAR, 2),
        (Zone.SATURATED, 3),
        (Zone.STALE, None),
        (Zone.UNOBSERVABLE, None),
    ],
)
def test_zones_are_exported_as_numbers(zone: Zone, number: float | None) -> None:
    fleet = Fleet()
    set_judgement(fleet, add(fleet, key("orders")), zone, usage=1.0)
    assert publish_new(fleet).get("headroom_zone", {}).get(label_pairs(**ORDERS_LABELS)) == number


def test_a_stale_series_keeps_its_limit_and_the_time_of_its_last_sample() -> None:
    fleet = Fleet()
    set_judgement(fleet, add(fleet, key("orders")), Zone.STALE)
    assert set(only_series_families(publish_new(fleet))) == {
        "headroom_limit",
        "headroom_sample_timestamp_seconds",
    }


def test_a_series_that_never_had_a_sample_exports_only_its_limit() -> None:
    fleet = Fleet()
    series = add(fleet, key("orders"))
    assert fleet.minute[series.slot] == NEVER
    assert set(only_series_families(publish_new(fleet))) == {"headroom_limit"}


def test_a_series_without_a_limit_exports_neither_limit_nor_ratio() -> None:
    fleet = Fleet()
    set_judgement(
        fleet, add(fleet, key("orders"), replace(SETTINGS, limit=None)), Zone.UNOBSERVABLE, usage=5.0
    )
    assert set(only_series_families(publish_new(fleet))) == {
        "headroom_usage",
        "headroom_sample_timestamp_seconds",
    }


def test_a_bounded_series_has_a_range_for_its_usage() -> None:
    fleet = Fleet()
    series_key = key("jobs.fifo", "sqs.fifo_api_rate")
    series = add(fleet, series_key, upper_bound=per_second(traffic))
    set_judgement(fleet, series, Zone.UNOBSERVABLE, usage=10.0)
    fleet.upper_bound[series.slot], fleet.utilization[series.slot] = 100.0, np.nan
    labels = label_pairs(**exported_labels(series_key.labels), unit="calls/s")
    samples = only_series_families(publish_new(fleet))
    assert samples["headroom_usage_lower_bound"] == {labels: 10.0}
    assert samples["headroom_usage_upper_bound"] == {labels: 100.0}
    assert not {"headroom_usage", "headroom_utilization_ratio", "headroom_zone"} & set(samples)


def test_each_known_cause_of_throttled_demand_has_a_sample() -> None:
    fleet = Fleet()
    causes = dict.fromkeys(("hot key range", 'an "other"', "unknown"), per_second(throttled_metric))
    series = add(fleet, key("orders"), throttled_by_cause=causes)
    add(fleet, key("payments"))
    for entry, throttled in zip(
        fleet.causes.entries_of(series.slot).values(), (2.5, 0.0, np.nan), strict=True
    ):
        fleet.causes.throttled[entry] = throttled
    assert publish_new(fleet)["headroom_throttled_by_cause"] == {
        label_pairs(**ORDERS_LABELS, cause="hot key range"): 2.5,
        label_pairs(**ORDERS_LABELS, cause='an "other"'): 0.0,
    }


def test_a_series_without_usage_exports_throttled_demand_and_no_ratio() -> None:
    fleet = Fleet()
    series = add(fleet, key("orders"), usage=Unobservable("no metric tells the usage of one partition"))
    for minutes_ago, value, zone in ((2, 0.0, None), (1, 120.0, 3.0)):
        fleet.rings.write(np.array([0]), np.array([NOW - minutes_ago]), np.array([value], np.float32))
        fleet.rings.mark_read(np.array([0]), NOW - minutes_ago)
        judge(fleet, NOW)
        assert only_series_families(publish_new(fleet)) == {
            "headroom_limit": {label_pairs(**ORDERS_LABELS, unit="bytes/s", source="api"): 1000.0},
            "headroom_saturation": {label_pairs(**ORDERS_LABELS): value / 60},
            "headroom_sample_timestamp_seconds": {label_pairs(**ORDERS_LABELS): (NOW - minutes_ago) * 60.0},
        } | ({"headroom_zone": {label_pairs(**ORDERS_LABELS): zone}} if zone else {})
    assert why_unobservable_now(fleet, series) == series.unobservable


def test_a_series_without_a_limit_exports_usage_and_throttled_demand() -> None:
    fleet = Fleet()
    throttled = per_second(throttled_metric)
    add(fleet, key("orders"), replace(SETTINGS, limit=None), usage=throttled, throttled=throttled)
    for minutes_ago, value, zone in ((2, 0.0, None), (1, 120.0, 3.0)):
        fleet.rings.write(np.array([0]), np.array([NOW - minutes_ago]), np.array([value], np.float32))
        fleet.rings.mark_read(np.array([0]), NOW - minutes_ago)
        judge(fleet, NOW)
        assert only_series_families(publish_new(fleet)) == {
            "headroom_usage": {label_pairs(**ORDERS_LABELS, unit="bytes/s"): value / 60},
            "headroom_saturation": {label_pairs(**ORDERS_LABELS): value / 60},
            "headroom_sample_timestamp_seconds": {label_pairs(**ORDERS_LABELS): (NOW - minutes_ago) * 60.0},
        } | ({"headroom_zone": {label_pairs(**ORDERS_LABELS): zone}} if zone else {})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_usage_that_is_not_finite_is_not_exported(value: float) -> None:
    fleet = Fleet()
    set_judgement(fleet, add(fleet, key("orders")), Zone.WITHIN, usage=value)
    assert "headroom_usage" not in publish_new(fleet)


def test_each_group_exports_its_number_of_series_in_every_zone() -> None:
    fleet = Fleet()
    for number, zone in enumerate([Zone.ABOVE, Zone.ABOVE, Zone.STALE]):
        set_judgement(fleet, add(fleet, key(f"stream-{number}")), zone)
    add(fleet, key("photos", "s3.prefix_write_rate"), usage=Unobservable("off"))
    fleet.drop(add(fleet, key("api", "lambda.account_concurrency")).key)
    counts = publish_new(fleet)["headroom_series"]
    expected = {zone.word: 0 for zone in Zone} | {"above": 2, "stale": 1}
    assert {zone: counts[label_pairs(**GROUP_LABELS, zone=zone)] for zone in expected} == expected
    assert len(counts) == 2 * len(Zone)


def test_account_names_are_exported() -> None:
    exposition = Exposition(Fleet())
    asyncio.run(exposition.publish({ACCOUNT: 'the "main" one'}))
    assert parse(exposition)["headroom_account_info"] == {
        label_pairs(aws_account=ACCOUNT, name='the "main" one'): 1.0
    }


@given(resource=st.text(min_size=1), tag=st.text())
@example(resource="%/", tag="")
def test_any_resource_name_and_tag_is_parsed_back_unchanged(resource: str, tag: str) -> None:
    fleet = Fleet()
    set_judgement(
        fleet,
        add(fleet, key(resource), replace(SETTINGS, tags={"tag_team": tag})),
        Zone.WITHIN,
        usage=1.0,
        saturation=0.0,
    )
    samples = only_series_families(publish_new(fleet))
    resource_id = key(resource).labels.get("resource_id")
    expected = label_pairs(
        **GROUP_LABELS,
        resource=resource,
        tag_team=tag,
        **({"resource_id": resource_id} if resource_id else {}),
    )
    for name, value_by_labels in samples.items():
        further_labels = {"unit", "source"} if name in ("headroom_usage", "headroom_limit") else set()
        (labels,) = value_by_labels
        assert tuple(pair for pair in labels if pair[0] not in further_labels) == expected


def test_a_lone_surrogate_does_not_affect_other_series() -> None:
    fleet = Fleet()
    add(fleet, key("a\ud800b"))
    (labels,) = publish_new(fleet)["headroom_limit"]
    assert dict(labels)["resource"] == "a?b"


@given(st.floats(0, width=32, allow_infinity=False))
def test_exported_numbers_are_exact(value: float) -> None:
    fleet = Fleet()
    set_judgement(fleet, add(fleet, key("orders")), Zone.WITHIN, usage=value)
    (exported,) = publish_new(fleet)["headroom_usage"].values()
    assert np.float32(exported) == np.float32(value)


class PublishedFleet:
    """A fleet of two chunks, and an exposition that is published after each of its changes."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.keys = [key(f"stream-{number}") for number in range(CHUNK_SIZE + 3)]
        for series_key in self.keys:
            add(self.fleet, series_key, throttled_by_cause={"hot key": per_second(throttled_metric)})
        self.exposition = Exposition(self.fleet)

    def change(self, number: int, kind: str, value: float) -> None:
        """Change a series, or drop it. value: what the kind of change sets, such as a limit or a usage."""
        series_key = self.keys[number]
        series = self.fleet.series.get(series_key)
        if kind == "drop":
            if series:
                self.fleet.drop(series_key)
        elif kind == "tag":
            add(self.fleet, series_key, replace(SETTINGS, tags={"tag_team": str(value)}))
        elif kind == "source":
            add(self.fleet, series_key, replace(SETTINGS, limit=Limit(1000.0, LimitSource.OVERRIDE, 0)))
        elif kind == "limit":
            limit = Limit(value, LimitSource.API, 0) if value else None
            add(self.fleet, series_key, replace(SETTINGS, limit=limit))
        elif kind == "causes":
            causes = {f"cause {n}": per_second(throttled_metric) for n in range(int(value) % 3)}
            changed_series = add(self.fleet, series_key, throttled_by_cause=causes)
            for entry in self.fleet.causes.entries_of(changed_series.slot).values():
                self.fleet.causes.throttled[entry] = value if value < 7 else np.nan
        elif series:
            zone = [*Zone][int(value) % len(Zone)]
            set_judgement(self.fleet, series, zone, usage=value or np.nan, saturation=value - 1)


@pytest.fixture(scope="module")
def fleet() -> PublishedFleet:
    """Share one fleet among all examples, as building it takes half a second."""
    return PublishedFleet()


changes = st.tuples(
    st.sampled_from([0, 1, 2, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 2]),
    st.sampled_from(["judge", "judge", "judge", "drop", "tag", "source", "limit", "causes"]),
    st.integers(0, 9).map(float),
)


@settings(max_examples=40)
@given(rounds=st.lists(st.lists(changes, max_size=4), min_size=1, max_size=3))
def test_partial_rendering_equals_full_rendering(
    fleet: PublishedFleet, rounds: list[list[tuple[int, str, float]]]
) -> None:
    for changes_of_round in rounds:
        for change in changes_of_round:
            fleet.change(*change)
        asyncio.run(fleet.exposition.publish({}))
    new_exposition = Exposition(fleet.fleet)
    asyncio.run(new_exposition.publish({}))
    assert fleet.exposition.body == new_exposition.body


async def test_unchanged_pieces_of_the_exposition_are_reused() -> None:
    fleet = PublishedFleet()
    await fleet.exposition.publish({})
    first_body = fleet.exposition.body
    await fleet.exposition.publish({})
    assert fleet.exposition.body is first_body
    fleet.change(0, "limit", 7.0)
    await fleet.exposition.publish({})
    reused_pieces = set(map(id, first_body.pieces)) & set(map(id, fleet.exposition.body.pieces))
    assert len(reused_pieces) >= len(FAMILIES)  # at least the pieces of the second chunk


async def test_the_newest_judgement_is_published_even_while_an_older_one_is_rendered() -> None:
    fleet = PublishedFleet()
    first = asyncio.create_task(fleet.exposition.publish({}))
    await asyncio.sleep(0)  # the first call is rendering
    fleet.change(0, "tag", 1.0)
    fleet.change(CHUNK_SIZE, "drop", 0.0)
    second = asyncio.create_task(fleet.exposition.publish({}))
    await asyncio.sleep(0)
    first.cancel()
    await second
    new_exposition = Exposition(fleet.fleet)
    await new_exposition.publish({})
    assert fleet.exposition.body == new_exposition.body


async def test_samples_have_the_labels_of_their_series_when_usage_appears_and_disappears() -> None:
    fleet = Fleet()
    first, second = add(fleet, key("first")), add(fleet, key("second"))
    exposition = Exposition(fleet)
    for above, stale in ((first, second), (second, first)):
        set_judgement(fleet, above, Zone.ABOVE, usage=800.0)
        set_judgement(fleet, stale, Zone.STALE)
        await exposition.publish({})
        (labels,) = parse(exposition)["headroom_usage"]
        assert dict(labels)["resource"] == above.key.resource


async def test_a_snapshot_does_not_change_with_the_fleet() -> None:
    fleet = Fleet()
    series = add(fleet, key("orders"))
    exposition = Exposition(fleet)
    await exposition.publish({})
    snapshot = exposition.snapshot
    set_judgement(fleet, series, Zone.NEAR, usage=950.0)
    assert snapshot.zone[series.slot] == Zone.STALE
    fleet.drop(series.key)
    assert snapshot.series[series.slot] is series
