"""GetMetricData and ListMetrics: in this process if the clock matters, else with a client."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from botocore.exceptions import ClientError

from monitor.demo.cloudwatch import DemoCloudWatch
from monitor.demo.region import AwsResponseError, DemoRegion
from monitor.demo.services.kinesis import DemoStream
from monitor.demo.services.lambda_ import DemoFunction
from monitor.demo.services.sqs import DemoQueue
from monitor.demo.traffic import Traffic
from tests.monitor.demo.conftest import ClientFactory
from tests.monitor.demo.test_operations import DENIED_REGION

START = 30_000_000  # minutes since 1970
NOW = START * 60 + 30.0
EXACT = Traffic(mean=0.5, daily=0.0, noise=0.0)
SURGING, EXCESSIVE = (EXACT.model_copy(update=change) for change in ({"surge": 1.0}, {"mean": 1.5}))
REGION = DemoRegion(
    "eu-west-1",
    (
        DemoStream(name="orders", shards=4, write=SURGING),
        DemoStream(name="gone", write=Traffic(mean=0.5, ended=-100)),
        DemoFunction(name="checkout", concurrency=100, reserved=True, traffic=EXCESSIVE),
        DemoFunction(name="search", concurrency=100, traffic=EXACT),
        DemoQueue(name="emails", sent=EXACT, in_flight=Traffic(mean=0.5, wave=0.2)),
    ),
    start=START,
)


def query(name: str, stat: str = "Sum", namespace: str = "AWS/Kinesis", **dimensions: str) -> dict[str, Any]:
    """Return a query of GetMetricData."""
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": pairs}
    return {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}


def get_results(
    *queries: Mapping[str, Any], first: int = -180, end: int = 1, **options: Any
) -> list[dict[str, Any]]:
    """Return the results at NOW for the minutes from START + `first` to before START + `end`."""
    request = {
        "MetricDataQueries": queries,
        "StartTime": (START + first) * 60,
        "EndTime": (START + end) * 60,
    }
    answer = orjson.loads(DemoCloudWatch(REGION).get_metric_data(request | options, NOW))
    results: list[dict[str, Any]] = answer["MetricDataResults"]
    assert {result["StatusCode"] for result in results} == {"Complete"}
    return results


def values(*args: Any, **dimensions: str) -> list[float]:
    """Return the values of a metric, the oldest first. args, dimensions: arguments of `query`."""
    return list(get_results(query(*args, **dimensions), ScanBy="TimestampAscending")[0]["Values"])


def test_at_the_start_three_hours_of_points_exist_and_the_newest_comes_first() -> None:
    (result,) = get_results(query("IncomingBytes", StreamName="orders"))
    assert result["Timestamps"] == [(START - 1 - n) * 60.0 for n in range(180)]
    (ascending,) = get_results(query("IncomingBytes", StreamName="orders"), ScanBy="TimestampAscending")
    assert ascending["Timestamps"] == result["Timestamps"][::-1]
    assert ascending["Values"] == result["Values"][::-1]


def test_start_time_is_inclusive_and_end_time_exclusive() -> None:
    (result,) = get_results(query("IncomingBytes", StreamName="orders"), first=-5, end=-3)
    assert result["Timestamps"] == [(START - 4) * 60.0, (START - 5) * 60.0]
    assert get_results(query("IncomingBytes", StreamName="orders"), first=-3, end=-5)[0]["Values"] == []


def test_a_stream_accepts_no_more_than_its_shards_allow_and_throttles_the_rest() -> None:
    capacity = 4 * 2**20 * 60.0  # bytes a minute of four shards
    accepted = values("IncomingBytes", StreamName="orders")
    assert max(accepted) == capacity
    assert min(accepted) == capacity / 2
    throttled = values("WriteProvisionedThroughputExceeded", StreamName="orders")
    assert max(throttled) == capacity / 2 / 2048  # records of 2,048 bytes
    assert min(throttled) == 0


def test_only_functions_with_a_reservation_throttle_and_the_account_counts_their_throttles() -> None:
    throttled = values("Throttles", "Sum", "AWS/Lambda", FunctionName="checkout")
    # Demand is 150 concurrent executions of 0.2 seconds each, and 100 are reserved.
    assert set(throttled) == {50 * 60 / 0.2}
    assert values("Throttles", "Sum", "AWS/Lambda") == throttled
    assert values("Throttles", "Sum", "AWS/Lambda", FunctionName="search") == []


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("ConcurrentExecutions", 150),
        ("ClaimedAccountConcurrency", 150),
        ("UnreservedConcurrentExecutions", 50),
    ],
)
def test_the_concurrency_of_the_account_is_the_sum_over_its_functions(metric: str, value: float) -> None:
    assert set(values(metric, "Maximum", "AWS/Lambda")) == {value}


def test_each_statistic_follows_from_the_reports_of_a_minute() -> None:
    executions = {
        stat: values("ConcurrentExecutions", stat, "AWS/Lambda", FunctionName="checkout")[0]
        for stat in ("Maximum", "Average", "Minimum", "SampleCount", "Sum")
    }
    assert executions == {"Maximum": 100, "Average": 80, "Minimum": 60, "SampleCount": 60, "Sum": 4800}
    events = {
        stat: values("Throttles", stat, "AWS/Lambda")[0]
        for stat in ("Sum", "SampleCount", "Average", "Maximum")
    }
    assert events == {"Sum": 15000, "SampleCount": 15000, "Average": 1, "Maximum": 1}
    written_bytes = {
        stat: values("IncomingBytes", stat, StreamName="orders")[0]
        for stat in ("Sum", "SampleCount", "Average")
    }
    assert written_bytes["Sum"] == written_bytes["SampleCount"] * written_bytes["Average"]
    assert values("IncomingBytes", "p99", StreamName="orders") == []


@pytest.mark.parametrize(
    "unknown_query",
    [
        query("IncomingBytes"),  # fewer dimensions
        query("IncomingBytes", StreamName="orders", ShardId="shardId-000000000000"),  # more dimensions
        query("IncomingBytes", namespace="AWS/SQS", StreamName="orders"),
        query("NoSuchMetric", StreamName="orders"),
    ],
)
def test_a_metric_is_found_by_its_exact_identity_only(unknown_query: dict[str, Any]) -> None:
    assert get_results(unknown_query)[0]["Values"] == []


def test_a_stream_that_fell_silent_has_no_later_points() -> None:
    (result,) = get_results(query("IncomingBytes", StreamName="gone"))
    assert result["Timestamps"][0] == (START - 100) * 60.0


def test_recently_active_metrics_had_a_point_within_three_hours() -> None:
    cloudwatch = DemoCloudWatch(REGION)

    def streams(now: float, **further_params: str) -> set[str]:
        params = {"Namespace": "AWS/Kinesis", "MetricName": "IncomingBytes", **further_params}
        metrics = cloudwatch.list_metrics(params, now)["Metrics"]
        return {dimension["Value"] for metric in metrics for dimension in metric["Dimensions"]}

    assert streams(NOW, RecentlyActive="PT3H") == {"orders", "gone"}
    assert streams(NOW + 90 * 60, RecentlyActive="PT3H") == {"orders"}
    assert streams(NOW + 90 * 60) == {"orders", "gone"}
    for namespace in {metric.namespace for metric in cloudwatch.metrics.values()}:
        assert cloudwatch.list_metrics({"Namespace": namespace, "RecentlyActive": "PT3H"}, NOW)["Metrics"]


def test_a_past_minute_keeps_its_value_and_different_minutes_have_different_values() -> None:
    region = replace(REGION, resources=(DemoStream(name="orders", write=Traffic(mean=0.5)),))
    request = {
        "MetricDataQueries": [query("IncomingBytes", StreamName="orders")],
        "StartTime": (START - 180) * 60,
        "EndTime": (START + 60) * 60,
    }

    def result_at(now: float) -> dict[str, Any]:
        response = orjson.loads(DemoCloudWatch(region).get_metric_data(request, now))
        (result,) = response["MetricDataResults"]
        return dict(result)

    result, result_a_minute_later = result_at(NOW), result_at(NOW + 60)
    assert result_a_minute_later["Timestamps"][1:] == result["Timestamps"]
    assert result_a_minute_later["Values"][1:] == result["Values"]
    assert len(set(result["Values"])) > 100


def with_period(period: int, metric_query: dict[str, Any]) -> dict[str, Any]:
    """Return the query with another period."""
    return metric_query | {"MetricStat": metric_query["MetricStat"] | {"Period": period}}


@pytest.mark.parametrize(
    ("stat", "combine"), [("Sum", sum), ("SampleCount", sum), ("Maximum", max), ("Minimum", min)]
)
def test_a_longer_period_has_the_statistic_of_its_minutes(
    stat: str, combine: Callable[[list[float]], float]
) -> None:
    metric_query = query("ApproximateNumberOfMessagesNotVisible", stat, "AWS/SQS", QueueName="emails")
    minutes, five_minutes = get_results(
        metric_query, with_period(300, metric_query), ScanBy="TimestampAscending"
    )
    assert five_minutes["Timestamps"] == minutes["Timestamps"][::5]
    assert five_minutes["Values"] == [combine(minutes["Values"][n : n + 5]) for n in range(0, 180, 5)]


def test_a_period_has_a_point_if_one_of_its_minutes_has_one() -> None:
    (result,) = get_results(with_period(300, query("IncomingBytes", "Average", StreamName="gone")))
    assert result["Timestamps"][0] == (START - 100) * 60.0


def test_expressions_and_periods_of_seconds_and_more_than_500_queries_are_rejected() -> None:
    with pytest.raises(AwsResponseError, match="500"):
        get_results(*[query("IncomingBytes", StreamName="orders")] * 501)
    with pytest.raises(AwsResponseError, match="MetricStat"):
        get_results({"Id": "q", "Expression": "1 + 1"})
    with pytest.raises(AwsResponseError, match="whole minutes"):
        get_results(with_period(10, query("IncomingBytes", StreamName="orders")))


def request_for(*queries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a request for the last three hours."""
    queries_with_ids = [{**metric_query, "Id": f"q{n}"} for n, metric_query in enumerate(queries)]
    end = np.datetime64("now", "m").item()
    start = end - np.timedelta64(180, "m").item()
    return {"MetricDataQueries": queries_with_ids, "StartTime": start, "EndTime": end}


async def test_a_real_client_gets_the_same_500_metrics_of_three_hours_twice(aws: ClientFactory) -> None:
    request = request_for(*[query("IncomingBytes", StreamName="audit")] * 500)
    async with aws("cloudwatch") as client:
        first_results = (await client.get_metric_data(**request))["MetricDataResults"]
        second_results = (await client.get_metric_data(**request))["MetricDataResults"]
    assert first_results == second_results
    assert [len(result["Values"]) for result in first_results] == [180] * 500


async def test_errors_reach_a_real_client_with_their_code(aws: ClientFactory) -> None:
    async with aws("cloudwatch") as client:
        with pytest.raises(ClientError) as rejected:
            await client.get_metric_data(**request_for(*[query("IncomingBytes")] * 501))
    assert rejected.value.response["Error"]["Code"] == "ValidationError"
    async with aws("cloudwatch", DENIED_REGION) as client:
        with pytest.raises(ClientError) as denied:
            await client.get_metric_data(**request_for(query("IncomingBytes")))
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
