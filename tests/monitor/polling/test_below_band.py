"""Resources below their bands are described once an hour; other resources and shared facts, each time."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from collectors.base import NOT_READ_YET, Metric, Observed, Resource, Unobservable, per_second
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.resource import ResourcePath
from monitor.aws.scan import BELOW_BAND_INTERVAL, Scan
from monitor.aws.turns import CallTurns
from monitor.fleet.below_band import ResourcesBelowBand, resources_below_band
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_aws import ACCOUNT_ID, FakeAws
from tests.monitor.polling.inventories import KINESIS, NO_QUOTAS, FakeAccount, streams
from tests.registries import STREAM_WRITE_BYTES

CELL = ACCOUNT_ID, "eu-west-1"
INTERVAL = 600.0  # seconds between two inventories
traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
OFF = Unobservable("detailed metrics are off")


@dataclass
class StreamInventories:
    """Runs an inventory of streams every ten minutes.

    minutes: from the first inventory to the next one. zones: by stream; a stream without an entry
    is below its band.
    """

    account: FakeAccount
    minutes: int = 0
    zones: dict[str, Zone] = field(default_factory=dict)

    async def run_and_list_described(self) -> set[str]:
        """Run the next inventory, and return the streams that it describes."""
        fleet, described = self.account.fleet, list[str]()
        for key, series in fleet.series.items():
            fleet.zone[series.slot] = self.zones.get(key.resource, Zone.BELOW)
        describe = self.account.aws.answers["describe_stream_summary"]

        def describe_and_record(StreamName: str) -> Any:
            described.append(StreamName)
            return describe(StreamName=StreamName)

        self.account.aws.answers["describe_stream_summary"] = describe_and_record
        self.account.aws.now = 1.7e9 + self.minutes * 60
        self.minutes += 10
        await self.account.inventory.run(KINESIS, by_turns=True)
        self.account.aws.answers["describe_stream_summary"] = describe
        return {*described}


async def test_streams_below_their_band_are_described_once_an_hour() -> None:
    inventories = StreamInventories(FakeAccount(**streams(a=1, b=2), **NO_QUOTAS), zones={"b": Zone.WITHIN})
    assert await inventories.run_and_list_described() == {"a", "b"}
    for _ in range(int(BELOW_BAND_INTERVAL / INTERVAL) - 1):
        assert await inventories.run_and_list_described() == {"b"}
    assert await inventories.run_and_list_described() == {"a", "b"}


@pytest.mark.parametrize("zone", [Zone.WITHIN, Zone.NEAR, Zone.SATURATED, Zone.STALE])
async def test_a_stream_that_is_no_longer_below_its_band_is_described_by_the_next_inventory(
    zone: Zone,
) -> None:
    inventories = StreamInventories(FakeAccount(**streams(a=1, b=2), **NO_QUOTAS))
    await inventories.run_and_list_described()
    assert await inventories.run_and_list_described() == set()
    inventories.zones["a"] = zone
    assert await inventories.run_and_list_described() == {"a"}


async def test_a_changed_limit_of_a_stream_below_its_band_is_found_within_the_hour() -> None:
    account = FakeAccount(**streams(a=1), **NO_QUOTAS)
    inventories = StreamInventories(account)
    await inventories.run_and_list_described()
    first_limit = account.limit("kinesis", "stream_write_bytes", "a")
    account.aws.answers |= streams(a=4)
    limits = [first_limit]
    for _ in range(int(BELOW_BAND_INTERVAL / INTERVAL)):
        await inventories.run_and_list_described()
        limits.append(account.limit("kinesis", "stream_write_bytes", "a"))
    assert first_limit and limits == [first_limit] * 6 + [(4 * first_limit[0], "api")]


async def test_a_doubted_limit_is_read_at_once_though_the_stream_is_below_its_band() -> None:
    inventories = StreamInventories(FakeAccount(**streams(a=1, b=1), **NO_QUOTAS))
    await inventories.run_and_list_described()
    fleet = inventories.account.fleet
    (slot,) = (
        series.slot
        for key, series in fleet.series.items()
        if (key.signal, key.resource) == ("stream_write_bytes", "a")
    )
    fleet.limit_doubted[slot] = True
    assert await inventories.run_and_list_described() == {"a"}


def fleet_of(**series: tuple[ResourcePath, Zone]) -> Fleet:
    """Return a fleet with these series. series: path of the resource and zone, by signal."""
    fleet = Fleet()
    settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=Limit(1.0, LimitSource.API, 0.0), band=Band())
    for signal, (path, zone) in series.items():
        usage = per_second(traffic.of(StreamName="/".join(path)))
        resource = Resource("stream", path)
        observed = Observed(signal=signal, resource=resource, usage=usage)
        slot = fleet.put(Key(*CELL, "kinesis", signal, resource), observed, settings, 0).slot
        fleet.zone[slot] = zone
    return fleet


def below_band_in(fleet: Fleet) -> ResourcesBelowBand:
    return resources_below_band(fleet, fleet.slots_of(fleet.series))


BELOW, ABOVE = Zone.BELOW, Zone.ABOVE


@pytest.mark.parametrize(
    # By signal, the resource and the zone of a series; the resources below their bands; other resources.
    ("series", "below", "not_below"),
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
def test_a_resource_is_below_its_band_if_all_its_series_are(
    series: dict[str, tuple[ResourcePath, Zone]], below: list[ResourcePath], not_below: list[ResourcePath]
) -> None:
    paths_below = below_band_in(fleet_of(**series))
    assert [path for path in below if path not in paths_below] == []
    assert [path for path in not_below if path in paths_below] == []


@pytest.mark.parametrize(("saturation", "is_below"), [(np.nan, True), (0.0, True), (0.1, False)])
def test_a_resource_with_any_throttled_demand_is_not_below_its_band(
    saturation: float, is_below: bool
) -> None:
    fleet = fleet_of(one=(("a",), BELOW))
    fleet.saturation[:1] = saturation
    assert (("a",) in below_band_in(fleet)) is is_below


@pytest.mark.parametrize(("usage", "is_below"), [(OFF, True), (NOT_READ_YET, True), (0.0, False)])
def test_only_judged_series_count_and_a_usage_that_an_api_returns_is_never_below(
    usage: Any, is_below: bool
) -> None:
    fleet = fleet_of(one=(("a",), BELOW))
    (settings,) = (only_series.settings for only_series in fleet.series.values())
    resource = Resource("stream", ("a",))
    observed = Observed(signal="two", resource=resource, usage=usage, limit=1.0)
    slot = fleet.put(Key(*CELL, "kinesis", "two", resource), observed, settings, 0).slot
    fleet.zone[slot] = BELOW
    assert (("a",) in below_band_in(fleet)) is is_below


SHARED_CALL = """
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


async def test_a_call_that_several_resources_share_is_made_at_each_inventory() -> None:
    aws = FakeAws(
        malformed=True,
        now=1.7e9,
        list_topics={"Topics": [{"TopicArn": "a", "Owner": "k"}, {"TopicArn": "b", "Owner": "k"}]},
        get_topic_attributes={"Attributes": {"SubscriptionsConfirmed": "1"}},
        get_subscription_attributes={"Attributes": {"Most": "5"}},
    )
    aws.cell.call_turns = CallTurns()
    scan = collector_of(parse_declaration(SHARED_CALL.encode(), "demo.yaml")).scans[0]
    calls = list[list[str]]()
    for number in range(2):
        aws.now, before = 1.7e9 + number * INTERVAL, len(aws.calls)
        aws.cell.call_turns.of("demo").begin(aws.now, is_bounded=True)
        assert (
            len([series async for series in scan(Scan(aws.cell, "demo", below_band={("a",), ("b",)}))]) == 2
        )
        calls.append(sorted(aws.calls[before:]))
    assert calls[1] == ["sns:GetSubscriptionAttributes", "sns:ListTopics"]
    assert len(calls[0]) == 4
