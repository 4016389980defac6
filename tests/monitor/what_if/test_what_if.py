"""Questions about fleets with a past: which series break, in which order, and what makes room."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collectors.base import ACCOUNT as WHOLE_ACCOUNT
from collectors.base import Metric, Resource, Unobservable
from collectors.quota_requests import QuotaRequest
from monitor.what_if.answer import Action, Answer, Basis
from monitor.what_if.query import WhatIfQuery
from monitor.what_if.question import QuestionError
from monitor.what_if.remedies import action_of
from monitor.what_if.what_if import WhatIf
from monitor.what_if.words import basis_text, remedy_text, summary
from rules.analogs import BINS_PER_DAY
from rules.band import Zone
from rules.forecast import BINS, MIN_BINS
from rules.signals import Band
from tests.monitor.fleet.fleets import NOW
from tests.monitor.fleet_server import Server, client_of, json_of
from tests.monitor.web.pages import feed
from tests.monitor.what_if.fleets import OTHER_REGION, add_series, store_history
from tests.registries import REGISTRY, SIGNALS

REQUESTS, IN_FLIGHT = "cloudwatch.put_metric_data", "sqs.standard_in_flight"
RATE = "firehose.put_requests"  # a limit that no command raises
CONCURRENCY, TABLES = "lambda.account_concurrency", "dynamodb.tables"


async def ask(server: Server, **parameters: Any) -> Answer:
    """Publish the fleet, and return the answer to a question."""
    await server.publish()
    return await server.state.what_if.answer(WhatIfQuery(**parameters))


def resources_in_order(answer: Answer) -> list[str]:
    return [item.series.key.resource for item in answer.items]


async def test_series_are_ordered_by_the_factor_at_which_their_peak_reaches_the_limit(server: Server) -> None:
    amounts = {"steady": 20, "spiky": 20, "full": 70}
    steady, spiky, full = (add_series(server, name, amount, signal=RATE) for name, amount in amounts.items())
    spike = np.full(BINS, 20.0)
    spike[600] = 80
    await store_history(server, (steady, 20), (spiky, spike), (full, 70))
    answer = await ask(server, traffic="1.3x")
    assert resources_in_order(answer) == ["spiky", "full", "steady"]
    assert [item.breaking_factor for item in answer.items] == pytest.approx([1.25, 1.43, 5], abs=0.01)
    assert [item.is_broken for item in answer.items] == [True, False, False]
    first, second, _ = answer.items
    assert (answer.total, answer.broken, answer.broken_now) == (3, 1, 0)
    assert first.peak == pytest.approx(80)
    assert first.p99 == pytest.approx(20)
    last_bin = server.forecaster.recorder.history.blocks[0].last_bin
    assert first.peak_at == (last_bin - BINS + 1 + 600) * 15
    assert first.basis is Basis.FORTNIGHT
    assert first.needed_limit == pytest.approx(80 * 1.3 / 0.55)
    assert second.remedy is None
    assert second.needed_limit is None


def newest_point(server: Server) -> int:
    """Return the newest minute of which any metric has a point."""
    rings = server.fleet.rings
    return int(rings.newest_point[: rings.size].max())


async def test_present_usage_above_the_peak_of_the_fortnight_is_the_peak(server: Server) -> None:
    rising = add_series(server, "rising", 90)
    await store_history(server, (rising, 20))
    (item,) = (await ask(server, traffic="2")).items
    assert (item.peak, item.peak_at) == (90, NOW)


async def test_a_short_history_is_used_and_named(server: Server) -> None:
    young, new = add_series(server, "young", 20), add_series(server, "new", 20)
    await store_history(server, (young, 40), bins=MIN_BINS // 4)
    young_item, new_item = (await ask(server, traffic="2")).items
    assert (young_item.series, young_item.basis, young_item.history_days) == (young, Basis.SHORT, 0.5)
    assert "by 0.5 days of history" in basis_text(young_item)
    assert (new_item.series, new_item.basis, new_item.peak) == (new, Basis.NOW, 20)
    assert "by one sample" in basis_text(new_item)


async def test_the_last_three_hours_are_used_until_the_past_was_read(server: Server) -> None:
    series = add_series(server, "fresh", 20)
    feed(server.fleet, series, [20, 60, 20])
    newest = server.fleet.minute[series.slot] = newest_point(server)
    (item,) = (await ask(server, traffic="2")).items
    assert (item.peak, item.peak_at, item.basis) == (60, newest - 1, Basis.HOURS)
    assert "by the last three hours" in basis_text(item)


async def test_a_series_breaks_at_its_ceiling_where_it_was_throttled_below_the_limit(
    server: Server,
) -> None:
    series = add_series(server, "bursts", 20, signal=RATE)
    await store_history(server, (series, 20))
    server.fleet.ceiling[series.slot] = 25
    (item,) = (await ask(server, traffic="2x")).items
    assert item.breaking_factor == pytest.approx(1.25)
    assert item.peak_is_lower_bound
    assert item.needed_limit == pytest.approx(2 * 20 / 0.25)  # by the ceiling, below the band
    assert basis_text(item).endswith("throttled from 25 requests/s on (inferred)")


async def test_only_the_fullest_limit_of_a_resource_has_a_ceiling(server: Server) -> None:
    count = Metric("AWS/Test", "Throttled", "Sum").of(Name="orders")
    by_bytes = add_series(server, "orders", 90, throttled_metric=count)
    by_records = add_series(
        server, "orders", 20, signal="kinesis.stream_write_records", throttled_metric=count
    )
    await store_history(server, (by_bytes, 90), (by_records, 20))
    recorder = server.forecaster.recorder
    for series, utilization in (by_bytes, 0.8), (by_records, 0.18):
        block, column = recorder.history.block_and_column(int(recorder.rows[series.slot]))
        block.note_throttling(np.array([column]), block.last_bin // BINS_PER_DAY, np.array([utilization]))
    await server.forecaster.forecast_slots(np.array([by_bytes.slot, by_records.slot], np.int32))
    factors = {
        item.series.key.signal: item.breaking_factor for item in (await ask(server, traffic="2x")).items
    }
    assert factors == pytest.approx({"stream_write_bytes": 80 / 90, "stream_write_records": 5}, rel=1e-3)
    async with client_of(server) as client:
        items = (await json_of(client, "/api/v1/series"))["items"]
    ceilings = {item["signal"]: item["forecast"]["effective_ceiling"] for item in items}
    assert ceilings == {"stream_write_bytes": pytest.approx(80, rel=1e-3), "stream_write_records": None}


async def test_throttled_demand_is_part_of_the_peak_where_served_demand_is_counted(
    server: Server,
) -> None:
    served = add_series(server, WHOLE_ACCOUNT, 100, signal=REQUESTS, saturation=50, counts_served=True)
    feed(server.fleet, served, [100, 100, 100], [0, 50, 20])
    server.fleet.minute[served.slot] = newest_point(server)
    (item,) = (await ask(server, traffic="2")).items
    assert item.peak == pytest.approx(150)
    assert item.peak_at == server.fleet.minute[served.slot] - 1
    assert item.breaking_factor == pytest.approx(100 / 150)
    assert item.peak_is_lower_bound  # throttled demand before these hours is unknown


async def test_throttled_records_are_not_added_to_bytes(server: Server) -> None:
    series = add_series(server, "a", 90, zone=Zone.SATURATED, saturation=50)
    feed(server.fleet, series, [90, 90], [50, 50])
    server.fleet.minute[series.slot] = newest_point(server)
    (item,) = (await ask(server, traffic="2")).items
    assert (item.peak, item.peak_is_lower_bound) == (90, True)


async def test_series_that_count_things_grow_only_on_request(server: Server) -> None:
    add_series(server, WHOLE_ACCOUNT, 90, signal=TABLES)
    add_series(server, "a", 40)
    answer = await ask(server, traffic="2")
    assert resources_in_order(answer) == ["a"]
    assert answer.not_growing == 1
    answer = await ask(server, traffic="2", counts=True)
    assert resources_in_order(answer) == ["", "a"]
    assert answer.not_growing == 0


async def test_unknown_series_are_listed_and_not_counted_as_fine(server: Server) -> None:
    why = Unobservable("detailed metrics are not enabled")
    hidden = add_series(server, "hidden", zone=Zone.UNOBSERVABLE, usage=why)
    unlimited = add_series(server, "unlimited", 5, limit=None, zone=Zone.UNOBSERVABLE)
    unread = add_series(server, "unread")
    answer = await ask(server, traffic="2")
    assert (answer.total, answer.unknown_total) == (0, 3)
    reasons = {item.series.key.resource: item.reason for item in answer.unknown}
    assert reasons[hidden.key.resource] == "detailed metrics are not enabled"
    assert reasons[unread.key.resource] == "no usage of it is known yet"
    assert "no limit is known" in reasons[unlimited.key.resource]
    assert "no series in question has a known usage" in summary(answer)


async def test_only_the_traffic_of_matched_series_grows(server: Server) -> None:
    add_series(server, "a", 40)
    add_series(server, WHOLE_ACCOUNT, 90, signal=CONCURRENCY)
    assert resources_in_order(await ask(server, traffic="2", match=['service="kinesis"'])) == ["a"]
    assert resources_in_order(await ask(server, traffic="2", match=['resource=~"a|b"'])) == ["a"]


async def test_only_the_usage_that_the_path_causes_is_multiplied(server: Server) -> None:
    own, shared, unknown = (add_series(server, name, 50, signal=RATE) for name in ("own", "shared", "?"))
    add_series(server, "elsewhere", 90, signal=RATE)
    shares = {"checkout": {own.key: 1.0, shared.key: 0.5, unknown.key: np.nan}}
    await server.publish()
    what_if = WhatIf(
        server.fleet, server.exposition, REGISTRY.services, server.forecaster.peaks, lambda: shares
    )
    answer = await what_if.answer(WhatIfQuery(traffic="2.5x", path="checkout"))
    assert answer.question.words == "2.5x the traffic of the path checkout"
    assert resources_in_order(answer) == ["own", "shared"]
    assert [(item.breaking_factor, item.demand) for item in answer.items] == [(2, 125), (3, 87.5)]
    assert (answer.broken, answer.unknown_total) == (1, 1)
    assert "how much of its usage the path checkout makes is not known" in answer.unknown[0].reason
    assert "1 series has usage that other requests cause" in answer.notes[0]
    with pytest.raises(QuestionError, match="did you mean checkout"):
        await what_if.answer(WhatIfQuery(path="chekout"))
    with pytest.raises(QuestionError, match="expected no region_fails beside it"):
        await what_if.answer(WhatIfQuery(path="checkout", region_fails="eu-west-1", to=OTHER_REGION))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"match": ['service="kinesi"']}, 'match: no series matches service="kinesi"; did you mean kinesis?'),
        ({"match": ['resource="order"']}, 'match: no series matches resource="order"; did you mean orders?'),
        (
            {"match": ['servise="kinesis"']},
            "match: no series matches servise=\"kinesis\"; no series has a label 'servise'; "
            "did you mean service?",
        ),
        (
            {"set_limit": "kinesis.stream_write_bytes=5", "resource": "ordrs"},
            "resource: no series of kinesis.stream_write_bytes is of 'ordrs'; did you mean orders?",
        ),
        (
            {"set_limit": "sqs.standard_in_flight=5"},
            "set_limit: no series of sqs.standard_in_flight is known",
        ),
    ],
)
async def test_a_selection_without_series_is_refused_with_the_nearest_names(
    server: Server, parameters: dict[str, Any], sentence: str
) -> None:
    add_series(server, "orders", 40)
    with pytest.raises(QuestionError) as raised:
        await ask(server, traffic="2", **parameters)
    assert str(raised.value).startswith(sentence)


# Remedies


async def test_each_kind_of_limit_has_its_remedy(server: Server) -> None:
    add_series(server, WHOLE_ACCOUNT, 90, signal=CONCURRENCY)
    add_series(server, Resource("stream", ("orders",)), 90, signal="kinesis.stream_write_bytes")
    add_series(server, Resource("bucket", ("media",)), 90, signal="s3.prefix_write_rate")
    answer = await ask(server, traffic="2x")
    remedies = {item.series.key.service: item.remedy for item in answer.items if item.remedy}
    assert answer.actions == {Action.REQUEST: 1, Action.CHANGE: 1, Action.REDESIGN: 1}
    assert remedies["lambda"].text == "Ask AWS for 328 concurrent executions"
    assert remedies["lambda"].command.startswith("aws service-quotas request-service-quota-increase")
    assert "--desired-value 328 " in remedies["lambda"].command
    assert remedies["kinesis"].command.startswith("aws kinesis update-shard-count --stream-name=orders")
    assert remedies["s3"].action is Action.REDESIGN
    assert remedies["s3"].text.startswith("Distribute the keys")
    assert remedies["s3"].command == ""
    assert "To make room, ask AWS for 1 quota, change 1 limit yourself, redesign 1." in summary(answer)


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("vpc.subnet_addresses", Action.REDESIGN),  # the command lists what uses the addresses
        ("ecs.tasks_per_service", Action.REDESIGN),  # the command creates a further service
        ("elasticache.cpu", Action.CHANGE),
        ("apigateway.usage_plan_throttle", Action.CHANGE),
        ("quotas.count", Action.REQUEST),
    ],
)
def test_the_action_is_change_only_if_the_command_of_the_signal_changes_its_limit(
    name: str, action: Action
) -> None:
    assert action_of(SIGNALS[name]) is action


async def test_a_command_raises_the_limit_as_far_as_aws_allows_in_one_call(server: Server) -> None:
    add_series(server, Resource("stream", ("orders",)), 2**20, limit=2**20)
    (item,) = (await ask(server, traffic="5x")).items
    assert item.remedy is not None
    assert item.remedy.needs_several_calls
    assert "--target-shard-count 2 " in item.remedy.command
    assert item.remedy.text == "Raise it to 2 MiB/s, and again up to 10 MiB/s"


async def test_a_quota_of_several_series_is_requested_once_at_the_highest_value(server: Server) -> None:
    add_series(server, "a", 90, signal=IN_FLIGHT)
    add_series(server, "b", 60, signal=IN_FLIGHT)
    answer = await ask(server, traffic="3x")
    (request,) = answer.requests
    assert (request.quota.code, request.series_count, request.value) == ("L-C491D5A4", 2, 491)
    assert "--desired-value 491 " in request.command
    assert answer.requests_total == 1
    assert "To make room, ask AWS for 1 quota (2 series)." in summary(answer)


@pytest.mark.parametrize(("desired", "is_enough"), [(200, False), (400, True)])
async def test_a_pending_quota_request_is_named_with_whether_it_is_enough(
    server: Server, desired: float, is_enough: bool
) -> None:
    series = add_series(server, WHOLE_ACCOUNT, 90, signal=CONCURRENCY)
    settings = replace(series.settings, quota_request=QuotaRequest(desired, "PENDING", 0.0))
    server.fleet.retag(series.key, replace(settings, tags={"team": "a"}))
    answer = await ask(server, traffic="2x")
    (item,), (request,) = answer.items, answer.requests
    assert item.remedy is not None
    assert item.remedy.pending_is_enough is request.pending_is_enough is is_enough
    assert remedy_text(item).endswith("is enough" if is_enough else "is not enough")


async def test_a_series_in_percent_needs_capacity_and_no_higher_limit(server: Server) -> None:
    add_series(server, Resource("instance", ("db",)), 60, signal="rds.cpu")
    (item,) = (await ask(server, traffic="2x")).items
    assert item.needed_limit is None
    assert item.needed_factor == pytest.approx(1.2 / 0.55)
    assert item.needed_text == "2.2 times the capacity"


async def test_the_band_of_a_series_decides_the_needed_limit(server: Server) -> None:
    add_series(server, "a", 60, signal=RATE, band=Band(low=0.2, high=0.4, near=0.5))
    (item,) = (await ask(server, traffic="2x")).items
    assert item.needed_limit == pytest.approx(120 / 0.3)


# A region fails


async def test_a_region_receives_the_traffic_that_the_failing_region_had_at_the_same_time(
    server: Server,
) -> None:
    here, there = add_series(server, "orders", 40), add_series(server, "orders", 40, region=OTHER_REGION)
    by_day, by_night = np.full(BINS, 10.0), np.full(BINS, 30.0)
    by_day[500], by_night[500] = 60, 10
    await store_history(server, (here, by_day), (there, by_night))
    server.fleet.usage[[here.slot, there.slot]] = 10, 30
    answer = await ask(server, region_fails="eu-west-1", to=OTHER_REGION)
    (item,) = answer.items
    assert (item.series, item.received) == (there, here.key.id)
    assert item.demand == pytest.approx(70)  # not 60 + 30
    assert not item.sums_peaks
    assert item.breaking_factor == pytest.approx(100 / 70)
    assert item.breaking_factor_now == pytest.approx(100 / 30)


async def test_without_a_past_the_peaks_of_both_regions_are_added_up_with_a_note(server: Server) -> None:
    add_series(server, "orders", 40)
    add_series(server, "orders", 70, region=OTHER_REGION)
    answer = await ask(server, region_fails="eu-west-1", to=OTHER_REGION)
    (item,) = answer.items
    assert (item.demand, item.sums_peaks, item.is_broken) == (110, True, True)
    assert answer.broken_now == 0
    assert any("peaks of both regions are added up" in note for note in answer.notes)


async def test_series_without_a_counterpart_in_the_other_region_are_listed(server: Server) -> None:
    add_series(server, "orders", 40)
    add_series(server, "idle", 0)
    add_series(server, "clicks", 40, region=OTHER_REGION)
    answer = await ask(server, region_fails="eu-west-1", to=OTHER_REGION)
    assert answer.total == 0
    assert [(item.series.key.resource, item.reason) for item in answer.not_carried] == [
        ("orders", f"nothing in {OTHER_REGION} carries it")
    ]


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (Resource("stream", ("orders-eu-west-1",)), Resource("stream", ("orders-us-east-1",))),
        (Resource("stream", ("id-1",), ("orders",)), Resource("stream", ("id-2",), ("orders",))),
        (
            Resource("stream", ("id-1",), ("orders-eu-west-1",)),
            Resource("stream", ("id-2",), ("orders-us-east-1",)),
        ),
        (WHOLE_ACCOUNT, WHOLE_ACCOUNT),
    ],
)
async def test_a_counterpart_has_the_same_ids_or_names_but_for_the_region(
    server: Server, here: Resource, there: Resource
) -> None:
    add_series(server, here, 40)
    add_series(server, there, 40, region=OTHER_REGION)
    answer = await ask(server, region_fails="eu-west-1", to=OTHER_REGION)
    assert (answer.total, answer.not_carried_total) == (1, 0)


async def test_a_resource_whose_name_is_not_unique_is_no_counterpart(server: Server) -> None:
    add_series(server, Resource("stream", ("id-1",), ("orders",)), 40)
    for number in (2, 3):
        add_series(server, Resource("stream", (f"id-{number}",), ("orders",)), 40, region=OTHER_REGION)
    answer = await ask(server, region_fails="eu-west-1", to=OTHER_REGION)
    assert (answer.total, answer.not_carried_total) == (0, 1)


async def test_traffic_may_grow_while_a_region_fails(server: Server) -> None:
    add_series(server, "orders", 10)
    add_series(server, "orders", 20, region=OTHER_REGION)
    add_series(server, "clicks", 10, region=OTHER_REGION)
    answer = await ask(server, region_fails="eu-west-1", to=OTHER_REGION, traffic="2x")
    assert [(item.series.key.resource, item.demand) for item in answer.items] == [
        ("orders", 60),
        ("clicks", 20),
    ]


# Another limit


async def test_a_set_limit_changes_the_limit_and_ceiling_of_its_series_only(server: Server) -> None:
    series = add_series(server, "orders", 40)
    add_series(server, "clicks", 40)
    server.fleet.ceiling[series.slot] = 50
    answer = await ask(server, set_limit="kinesis.stream_write_bytes=200", resource="orders")
    (item,) = answer.items
    assert (item.limit, item.limit_now, item.ceiling) == (200, 100, 100)
    assert (item.breaking_factor, item.breaking_factor_now) == (2.5, 1.25)


async def test_a_limit_below_the_present_usage_is_answered_with_a_note(server: Server) -> None:
    add_series(server, "orders", 40)
    answer = await ask(server, set_limit="kinesis.stream_write_bytes=20")
    assert answer.broken == 1
    assert "1 series of kinesis.stream_write_bytes uses more than that limit now." in answer.notes


async def test_a_question_may_set_a_limit_of_things_whose_number_does_not_follow_traffic(
    server: Server,
) -> None:
    add_series(server, WHOLE_ACCOUNT, 90, signal=TABLES)
    (item,) = (await ask(server, set_limit="dynamodb.tables=80", traffic="3x")).items
    assert (item.factor, item.is_broken) == (1, True)


async def test_the_same_question_gets_the_same_order(server: Server) -> None:
    for number in range(20):
        add_series(server, f"s{number}", 50)
    first = resources_in_order(await ask(server, traffic="3x"))
    assert first == resources_in_order(await ask(server, traffic="3x"))
    assert len({*first}) == 20


async def test_no_more_series_are_listed_than_requested(server: Server) -> None:
    for number in range(5):
        add_series(server, f"s{number}", 50)
    answer = await ask(server, traffic="3x", limit=2)
    assert (len(answer.items), answer.total, answer.broken) == (2, 5, 5)
