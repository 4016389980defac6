"""Collectors of accounts of which only metrics can be read; they are made from declarations."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Observed, Unobservable
from collectors.builtin import builtin_registry
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.listed_metrics import LIST_INTERVAL, MAX_LISTED_METRICS, TooManyMetricsError
from collectors.metric_identity import identity_of
from collectors.metrics_only import LIMIT_NEEDED, ROLE_NEEDED, metric_names, metrics_only, readable_signals
from tests.fake_aws import ACCOUNT_ID, FakeAws

REGISTRY = builtin_registry()
COLLECTORS = {collector.service: collector for collector in REGISTRY.collectors}
ALL_METRICS = metric_names(REGISTRY.collectors)
OTHER_ACCOUNT = "222222222222"


def listed_metric(namespace: str, name: str, **dimensions: str) -> dict[str, Any]:
    """Return a metric as ListMetrics returns it."""
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": pairs}


def list_metrics_answer(*metrics: Mapping[str, Any], owner: str = ACCOUNT_ID) -> Any:
    """Return an answer to ListMetrics with these metrics. owner: the account that has them."""

    def list_metrics(**params: Any) -> dict[str, Any]:
        assert (params["IncludeLinkedAccounts"], params["OwningAccount"]) == (True, ACCOUNT_ID)
        in_namespace = [metric for metric in metrics if metric["Namespace"] == params["Namespace"]]
        return {"Metrics": in_namespace, "OwningAccounts": [owner] * len(in_namespace)}

    return list_metrics


async def series_of(service: str, aws: FakeAws) -> dict[tuple[str, str], Observed]:
    """Return the series of a service, read from metrics alone, by signal and resource."""
    collector = metrics_only(COLLECTORS[service], REGISTRY.services[service].signals.values(), ALL_METRICS)
    return {
        (observed.signal, observed.resource.id): observed
        for scan in collector.scans
        async for observed in scan(aws.scan)
    }


def observable_keys(series: Mapping[tuple[str, str], Observed]) -> set[tuple[str, str]]:
    """Return the keys of the series that are observable."""
    return {key for key, observed in series.items() if not isinstance(observed.usage, Unobservable)}


async def test_resources_are_found_by_dimensions_of_metrics_and_judged_by_published_limits() -> None:
    orders = [
        listed_metric("AWS/Firehose", name, DeliveryStreamName="orders")
        for name in ("IncomingBytes", "BytesPerSecondLimit", "IncomingRecords", "RecordsPerSecondLimit")
    ]
    clicks = [listed_metric("AWS/Firehose", "IncomingBytes", DeliveryStreamName="clicks")]  # without a limit
    series = await series_of("firehose", FakeAws(list_metrics=list_metrics_answer(*orders, *clicks)))
    assert observable_keys(series) == {("incoming_bytes", "orders"), ("incoming_records", "orders")}
    observed = series["incoming_bytes", "orders"]
    assert observed.published_limit is not None
    (limit,) = observed.published_limit.metrics
    assert (limit.name, limit.dimensions) == ("BytesPerSecondLimit", (("DeliveryStreamName", "orders"),))
    assert observed.throttled is not None
    assert not observed.hard_limit


async def test_a_dimension_that_an_expression_cannot_read_affects_only_its_resource() -> None:
    text = DECLARATION_TEMPLATE.format(id="Endpoint", dimensions='{Group: "{group}", At: "{endpoint}"}')
    text = text.replace(
        "  load: {resource: node, usage: Load}",
        "  client_connections: {resource: node, usage: Load, when: epoch(endpoint) > 0}",
    )
    declaration = parse_declaration(text.encode(), "ours.yaml")
    signals = REGISTRY.services["efs"].signals.values()
    collector = metrics_only(collector_of(declaration), signals, frozenset({("Ours", "Load")}))
    metrics = [listed_metric("Ours", "Load", Group="a", At=at) for at in ("2026-11-30", "today")]
    aws = FakeAws(list_metrics=list_metrics_answer(*metrics)).scan
    paths = {observed.resource.path async for observed in collector.scans[0](aws)}
    assert ("a", "2026-11-30") in paths
    assert [failure.resource_path for failure in aws.failures] == [("a", "today")]


async def test_signals_that_need_a_role_are_unobservable_if_the_service_is_in_use() -> None:
    metric = listed_metric("AWS/Firehose", "IncomingBytes", DeliveryStreamName="clicks")
    series = await series_of("firehose", FakeAws(list_metrics=list_metrics_answer(metric)))
    assert series["streams", ""].usage is ROLE_NEEDED
    assert "a role is needed" in ROLE_NEEDED.reason
    assert observable_keys(series) == set()


async def test_a_service_without_metrics_has_no_series() -> None:
    assert await series_of("firehose", FakeAws(list_metrics=list_metrics_answer())) == {}


async def test_all_signals_of_a_collector_in_python_need_a_role() -> None:
    metric = listed_metric("AWS/Kinesis", "IncomingBytes", StreamName="orders")
    series = await series_of("kinesis", FakeAws(list_metrics=list_metrics_answer(metric)))
    assert {name for name, _ in series} == {*REGISTRY.services["kinesis"].signals}
    assert observable_keys(series) == set()


async def test_an_id_is_computed_from_a_fact_that_is_a_dimension() -> None:
    arn = f"arn:aws:states:eu-west-1:{ACCOUNT_ID}:stateMachine:orders"
    metric = listed_metric("AWS/States", "VersionCount", ResourceArn=arn)
    series = await series_of("states", FakeAws(list_metrics=list_metrics_answer(metric)))
    assert observable_keys(series) == {("versions_per_state_machine", "orders")}
    (usage,) = series["versions_per_state_machine", "orders"].usage.metrics  # type: ignore[union-attr]
    assert usage.dimensions == (("ResourceArn", arn),)


async def test_a_usage_beyond_a_default_quota_proves_that_the_default_is_not_in_force() -> None:
    dimensions = {"Type": "API", "Resource": "PutLogEvents", "Service": "Logs", "Class": "None"}
    metrics = [
        listed_metric("AWS/Usage", "CallCount", **dimensions),
        listed_metric("AWS/EFS", "ClientConnections", FileSystemId="fs-1"),
    ]
    aws = FakeAws(list_metrics=list_metrics_answer(*metrics))
    # A usage above a `hard_limit` proves that the limit is outdated.
    assert (await series_of("logs", aws))["put_log_events", ""].hard_limit
    series_with_fixed_limit = (await series_of("efs", aws))["client_connections", "fs-1"]
    assert not series_with_fixed_limit.hard_limit


async def test_a_published_limit_replaces_a_limit_that_only_the_api_returns() -> None:
    metrics = [
        listed_metric("AWS/EFS", name, FileSystemId="fs-1")
        for name in ("MeteredIOBytes", "PermittedThroughput")
    ]
    observed = (await series_of("efs", FakeAws(list_metrics=list_metrics_answer(*metrics))))[
        "throughput", "fs-1"
    ]
    assert (observed.limit, observed.published_limit is not None) == (None, True)


async def test_metrics_with_further_dimensions_are_not_metrics_of_the_whole_account() -> None:
    metrics = [
        listed_metric("AWS/States", "OpenExecutionCount"),
        listed_metric("AWS/States", "OpenExecutionLimit"),
        listed_metric("AWS/States", "OpenExecutionCount", StateMachineArn="another"),
    ]
    series = await series_of("states", FakeAws(list_metrics=list_metrics_answer(*metrics)))
    assert observable_keys(series) == {("open_executions", "")}


async def test_metrics_of_another_account_are_ignored() -> None:
    metric = listed_metric("AWS/EFS", "ClientConnections", FileSystemId="fs-1")
    aws = FakeAws(list_metrics=list_metrics_answer(metric, owner=OTHER_ACCOUNT))
    assert await series_of("efs", aws) == {}


async def test_metrics_are_listed_once_an_hour_for_all_services() -> None:
    metric = listed_metric("AWS/EFS", "ClientConnections", FileSystemId="fs-1")
    aws = FakeAws(now=1_000_000.0, list_metrics=list_metrics_answer(metric))
    for _ in range(3):
        assert ("client_connections", "fs-1") in await series_of("efs", aws)
    assert aws.calls == ["cloudwatch:ListMetrics"]
    aws.now = 1_000_000.0 + LIST_INTERVAL
    aws.answers["list_metrics"] = list_metrics_answer()
    assert await series_of("efs", aws) == {}
    assert aws.iam_actions == {"cloudwatch:ListMetrics"}


async def test_a_namespace_with_too_many_metrics_affects_the_services_that_read_it() -> None:
    page = {"Metrics": [listed_metric("AWS/EFS", "ClientConnections", FileSystemId="fs-1")] * 500}
    pages = [page] * (MAX_LISTED_METRICS // 500 + 1)
    with pytest.raises(TooManyMetricsError, match="AWS/EFS"):
        await series_of("efs", FakeAws(list_metrics=pages))


async def test_a_signal_whose_limit_only_the_api_returns_needs_a_configured_limit() -> None:
    elasticache = listed_metric("AWS/ElastiCache", "CurrConnections", CacheClusterId="a", CacheNodeId="0001")
    dax = listed_metric("AWS/DAX", "TotalRequestCount", ClusterId="c", NodeId="c-a")
    aws = FakeAws(list_metrics=list_metrics_answer(elasticache, dax))
    series = await series_of("dax", aws)
    assert series["request_rate", "c/c-a"].usage is LIMIT_NEEDED
    aws.scan.has_own_limit = lambda signal, resource: signal == "request_rate"
    assert ("request_rate", "c/c-a") in observable_keys(await series_of("dax", aws))


async def test_excluded_series_are_not_read() -> None:
    metric = listed_metric("AWS/EFS", "ClientConnections", FileSystemId="fs-1")
    aws = FakeAws(list_metrics=list_metrics_answer(metric))
    aws.scan.includes = lambda signal, resource: signal == "client_connections" and resource.id == "fs-2"
    assert await series_of("efs", aws) == {}


# By service: the number of signals that can be read from metrics alone.
READABLE_COUNTS = {
    "cloudwatch": 9,
    "documentdb": 3,
    "dynamodb": 14,
    "efs": 2,
    "firehose": 4,
    "logs": 9,
    "opensearch": 6,
    "states": 6,
    "transitgateway": 0,
    "vpc": 0,
}


@pytest.mark.parametrize("service", READABLE_COUNTS)
def test_the_number_of_signals_that_metrics_alone_tell_is_as_listed(service: str) -> None:
    declaration = COLLECTORS[service].declaration
    assert declaration
    assert len(readable_signals(declaration)) == READABLE_COUNTS[service]


@pytest.mark.parametrize(
    "service", [collector.service for collector in REGISTRY.collectors if collector.declaration]
)
def test_no_readable_signal_needs_facts_that_only_the_api_returns(service: str) -> None:
    """The formulas of a signal use only metrics, and facts that the dimensions of the metrics hold."""
    declaration = COLLECTORS[service].declaration
    assert declaration
    for signal in readable_signals(declaration).values():
        formulas = [formula for _, formula in signal.declared.formulas]
        names = {name for formula in formulas for name in formula.names}
        facts = {name for kind in declaration.resources.values() for name in kind.fact_names()}
        assert all(not formula.list_names and not formula.attributes for formula in formulas)
        assert all(names & facts <= identity.names for identity in signal.identities.values())


DECLARATION_TEMPLATE = """
service: ours
namespace: Ours
metrics:
  Load: {{stat: Maximum, dimensions: {dimensions}}}
resources:
  group:
    list: {{call: sqs.ListQueues, items: QueueUrls}}
  node:
    parent: group
    list: {{call: sqs.ListQueues, items: QueueUrls}}
    id: {id}
    facts: {{endpoint: Endpoint}}
signals:
  load: {{resource: node, usage: Load}}
"""


@pytest.mark.parametrize(
    ("id_", "dimensions", "is_identified"),
    [
        ('"@"', '{Group: "{group}", Node: "{node}"}', True),
        ('"@"', '{Node: "{node}"}', False),  # the group is unknown
        ('"@"', '{Both: "{group}-{node}"}', False),  # where the group's id ends is unknown
        ("after_last(Endpoint, '/')", '{Group: "{group}", At: "{endpoint}"}', True),
        ("after_last(Arn, '/')", '{Group: "{group}", At: "{endpoint}"}', False),
        ('"@"', '{Group: "g-{group}", Node: "{region}:{node}"}', True),
    ],
)
def test_dimensions_identify_a_resource_if_they_hold_every_id_of_its_path(
    id_: str, dimensions: str, is_identified: bool
) -> None:
    text = DECLARATION_TEMPLATE.format(id=id_, dimensions=dimensions)
    declaration = parse_declaration(text.encode(), "ours.yaml")
    assert (identity_of(declaration, "Load", "node") is not None) is is_identified


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_any_ids_are_read_back_from_the_dimensions_that_hold_them(group: str, node: str) -> None:
    text = DECLARATION_TEMPLATE.format(id='"@"', dimensions='{Group: "g-{group}", Node: "{region}:{node}"}')
    identity = identity_of(parse_declaration(text.encode(), "ours.yaml"), "Load", "node")
    assert identity
    constants = {"region": "eu-west-1"}
    dimensions = (("Group", f"g-{group}"), ("Node", f"eu-west-1:{node}"))
    identified = identity.node(dimensions, constants)
    assert identified
    assert identified.resource.path == (group, node)
    without_fixed_texts = (("Group", group), ("Node", node))
    assert identity.node(without_fixed_texts, {"region": "us-east-1"}) is None


def test_a_collector_of_metrics_alone_needs_one_permission_and_reads_the_same_metrics() -> None:
    full_collector = collector_of(COLLECTORS["efs"].declaration)  # type: ignore[arg-type]
    collector = metrics_only(full_collector, REGISTRY.services["efs"].signals.values(), ALL_METRICS)
    assert collector.iam_actions == ("cloudwatch:ListMetrics",)
    assert (collector.metrics, collector.publication_delay) == (
        full_collector.metrics,
        full_collector.publication_delay,
    )
