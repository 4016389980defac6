"""Resources in no danger are described once an hour; all others, and what is shared, at each inventory."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from collectors.base import NOT_READ_YET, Metric, Observed, Resource, Unobservable, per_second
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.resource import ResourcePath
from monitor.aws.scan import CALM_INTERVAL, Scan
from monitor.aws.turns import CallTurns
from monitor.fleet.calm_resources import CalmResources, calm_resources
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_aws import ACCOUNT_ID, FakeAws
from tests.monitor.polling.inventories import KINESIS, NO_QUOTAS, World, streams
from tests.registries import STREAM_WRITE_BYTES

CELL = ACCOUNT_ID, "eu-west-1"
INTERVAL = 600.0
traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
OFF = Unobservable("detailed metrics are off")


@dataclass
class Hours:
    """Inventories of streams, each ten minutes after the one before, after a judgement."""

    world: World
    minutes: int = 0
    zones: dict[str, Zone] = field(default_factory=dict)

    async def described(self, **more: Any) -> set[str]:
        """The streams that the next inventory describes."""
        fleet, named = self.world.fleet, list[str]()
        for key, series in fleet.series.items():
            fleet.zone[series.slot] = self.zones.get(key.resource, Zone.BELOW)
        describe = self.world.aws.answers["describe_stream_summary"]

        def note(StreamName: str) -> Any:
            named.append(StreamName)
            return describe(StreamName=StreamName)

        self.world.aws.answers["describe_stream_summary"] = note
        self.world.aws.now = 1.7e9 + self.minutes * 60
        self.minutes += 10
        await self.world.inventory.run(KINESIS, by_turns=True)
        self.world.aws.answers["describe_stream_summary"] = describe
        return {*named}


async def test_streams_in_no_danger_are_described_once_an_hour() -> None:
    hours = Hours(World(**streams(a=1, b=2), **NO_QUOTAS), zones={"b": Zone.WITHIN})
    assert await hours.described() == {"a", "b"}
    for _ in range(int(CALM_INTERVAL / INTERVAL) - 1):
        assert await hours.described() == {"b"}
    assert await hours.described() == {"a", "b"}


@pytest.mark.parametrize("zone", [Zone.WITHIN, Zone.NEAR, Zone.SATURATED, Zone.STALE])
async def test_a_stream_in_danger_or_without_points_is_described_by_the_next_inventory(zone: Zone) -> None:
    hours = Hours(World(**streams(a=1, b=2), **NO_QUOTAS))
    await hours.described()
    assert await hours.described() == set()
    hours.zones["a"] = zone
    assert await hours.described() == {"a"}


async def test_a_changed_limit_of_a_stream_in_no_danger_is_found_within_the_hour() -> None:
    world = World(**streams(a=1), **NO_QUOTAS)
    hours = Hours(world)
    await hours.described()
    first = world.limit("kinesis", "stream_write_bytes", "a")
    world.aws.answers |= streams(a=4)
    limits = [first]
    for _ in range(int(CALM_INTERVAL / INTERVAL)):
        await hours.described()
        limits.append(world.limit("kinesis", "stream_write_bytes", "a"))
    assert first and limits == [first] * 6 + [(4 * first[0], "api")]


async def test_a_doubted_limit_is_read_at_once_though_the_stream_is_below_its_band() -> None:
    hours = Hours(World(**streams(a=1, b=1), **NO_QUOTAS))
    await hours.described()
    fleet = hours.world.fleet
    (slot,) = (
        one.slot
        for key, one in fleet.series.items()
        if (key.signal, key.resource) == ("stream_write_bytes", "a")
    )
    fleet.doubted[slot] = True
    assert await hours.described() == {"a"}


def fleet_of(**series: tuple[ResourcePath, Zone]) -> Fleet:
    """A fleet with these series, by signal: the path of the resource, and the zone."""
    fleet = Fleet()
    settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=Limit(1.0, LimitSource.API, 0.0), band=Band())
    for signal, (path, zone) in series.items():
        usage = per_second(traffic.of(StreamName="/".join(path)))
        resource = Resource("stream", path)
        observed = Observed(signal=signal, resource=resource, usage=usage)
        slot = fleet.put(Key(*CELL, "kinesis", signal, resource), observed, settings, 0).slot
        fleet.zone[slot] = zone
    return fleet


def calm_in(fleet: Fleet) -> CalmResources:
    return calm_resources(fleet, fleet.slots_of(fleet.series))


BELOW, ABOVE = Zone.BELOW, Zone.ABOVE


@pytest.mark.parametrize(
    ("series", "calm", "others"),
    [
        ({"one": (("a",), BELOW)}, [("a",)], [("b",), ()]),
        ({"one": (("a",), BELOW), "two": (("a",), ABOVE)}, [], [("a",)]),
        ({"one": (("a",), BELOW), "two": (("a", "x"), ABOVE)}, [], [("a",), ("a", "x")]),
        ({"one": (("a", "y"), BELOW), "two": (("a", "x"), ABOVE)}, [("a", "y")], [("a",), ("a", "x")]),
        ({"one": (("a", "x"), BELOW), "two": (("a",), ABOVE)}, [], [("a",), ("a", "x")]),
        ({"one": (("a", "x"), BELOW)}, [("a",), ("a", "x")], [("a", "y")]),
        ({"one": (("a",), BELOW), "two": ((), ABOVE)}, [("a",)], [()]),
    ],
)
def test_a_resource_is_calm_if_all_of_it_is(
    series: dict[str, tuple[ResourcePath, Zone]], calm: list[ResourcePath], others: list[ResourcePath]
) -> None:
    found = calm_in(fleet_of(**series))
    assert [path for path in calm if path not in found] == []
    assert [path for path in others if path in found] == []


@pytest.mark.parametrize(("saturation", "is_calm"), [(np.nan, True), (0.0, True), (0.1, False)])
def test_throttled_demand_is_danger_though_it_is_tolerated(saturation: float, is_calm: bool) -> None:
    fleet = fleet_of(one=(("a",), BELOW))
    fleet.saturation[:1] = saturation
    assert (("a",) in calm_in(fleet)) is is_calm


@pytest.mark.parametrize(("usage", "is_calm"), [(OFF, True), (NOT_READ_YET, True), (0.0, False)])
def test_only_judged_series_decide_but_a_usage_of_an_api_keeps_the_interval(
    usage: Any, is_calm: bool
) -> None:
    fleet = fleet_of(one=(("a",), BELOW))
    (settings,) = (one.settings for one in fleet.series.values())
    resource = Resource("stream", ("a",))
    observed = Observed(signal="two", resource=resource, usage=usage, limit=1.0)
    slot = fleet.put(Key(*CELL, "kinesis", "two", resource), observed, settings, 0).slot
    fleet.zone[slot] = BELOW
    assert (("a",) in calm_in(fleet)) is is_calm


SHARED = """
service: demo
namespace: AWS/SNS
resources:
  topic:
    list: {call: sns.ListTopics, items: Topics}
    id: TopicArn
    facts: {key: Owner}
    dimensions: {TopicName: "{topic}"}
    calls:
      - call: sns.GetTopicAttributes
        params: {TopicArn: "{topic}"}
        facts: {confirmed: to_number(Attributes.SubscriptionsConfirmed)}
      - call: sns.GetSubscriptionAttributes
        params: {SubscriptionArn: "{key}"}
        facts: {most: to_number(Attributes.Most)}
metrics:
  NumberOfMessagesPublished: {stat: Sum}
signals:
  published: {resource: topic, usage: rate(NumberOfMessagesPublished), limit: most + confirmed}
"""


async def test_a_call_that_resources_share_is_made_at_each_inventory() -> None:
    aws = FakeAws(
        malformed=True,
        now=1.7e9,
        list_topics={"Topics": [{"TopicArn": "a", "Owner": "k"}, {"TopicArn": "b", "Owner": "k"}]},
        get_topic_attributes={"Attributes": {"SubscriptionsConfirmed": "1"}},
        get_subscription_attributes={"Attributes": {"Most": "5"}},
    )
    aws.cell.call_turns = CallTurns()
    scan = collector_of(parse_declaration(SHARED.encode(), "demo.yaml")).scans[0]
    calls = list[list[str]]()
    for number in range(2):
        aws.now, before = 1.7e9 + number * INTERVAL, len(aws.calls)
        aws.cell.call_turns.of("demo").begin(aws.now, is_bounded=True)
        assert len([one async for one in scan(Scan(aws.cell, "demo", calm={("a",), ("b",)}))]) == 2
        calls.append(sorted(aws.calls[before:]))
    assert calls[1] == ["sns:GetSubscriptionAttributes", "sns:ListTopics"]
    assert len(calls[0]) == 4
