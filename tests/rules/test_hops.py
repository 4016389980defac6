"""The kinds of hops: the signals, services and metrics that they name exist."""

import pytest

from rules.hops import HOPS_FILE, HopKinds, hop_kinds
from rules.model_file import parse_model
from rules.signals import LimitKind
from rules.units import parse_unit
from tests.registries import REGISTRY

KINDS = hop_kinds()
DECLARED_NAMESPACES = {metric.namespace for collector in REGISTRY.collectors for metric in collector.metrics}


def test_the_file_has_no_problem_and_names_services_of_the_catalogue() -> None:
    assert parse_model(HOPS_FILE.read_bytes(), "hops.yaml", HopKinds).problems == []
    assert {*KINDS} <= {*REGISTRY.service_names}


@pytest.mark.parametrize("service", KINDS)
def test_a_service_has_the_signals_and_the_scope_that_its_hops_declare(service: str) -> None:
    kind = KINDS[service]
    for name in kind.signals:
        assert REGISTRY.signal(service, name).kind in LimitKind
    assert REGISTRY.scope_of(service) == kind.scope
    assert parse_unit(f"{kind.unit}/s").format(2)


@pytest.mark.parametrize("service", KINDS)
def test_the_services_that_a_kind_names_as_preceding_have_kinds(service: str) -> None:
    kind = KINDS[service]
    preceding_services = {preceding for limit in kind.limits.values() for preceding in limit.not_after}
    preceding_services |= {preceding for payload in kind.payloads for preceding in payload.after}
    assert preceding_services <= {*KINDS}


@pytest.mark.parametrize("service", KINDS)
def test_metrics_are_in_namespaces_that_collectors_declare(service: str) -> None:
    kind = KINDS[service]
    for metric in (*(source.hop_metric for source in kind.flow), *kind.measures.values()):
        assert metric is None or metric.namespace in DECLARED_NAMESPACES


def test_a_limit_of_the_account_must_declare_how_much_of_it_each_unit_of_the_hop_uses() -> None:
    text = b"{x: {title: X, unit: requests, parts: [x], limits: {rate: {of: account}}}}"
    (problem,) = parse_model(text, "x.yaml", HopKinds).problems
    assert "missing: other resources of the account use the limit, too" in problem


@pytest.mark.parametrize(
    ("preceding_services", "max_bytes"),
    [
        (["apigateway"], 6 * 1024**2),
        (["sqs"], 6 * 1024**2),
        (["s3"], 1024**2),
        (["alb"], 1024**2),
        ([], 6 * 1024**2),
    ],
)
def test_the_payload_limit_of_lambda_depends_on_the_invoking_service(
    preceding_services: list[str], max_bytes: int
) -> None:
    payload = KINDS["lambda"].payload_after(preceding_services)
    assert payload and payload.bytes == max_bytes


def test_asynchronous_invocations_do_not_use_the_rate_of_synchronous_invocations() -> None:
    limits = [name for name, _ in KINDS["lambda"].limits_after(["s3"])]
    assert "invoke_rate_sync" not in limits
    assert "invoke_rate_sync" in [name for name, _ in KINDS["lambda"].limits_after(["s3", "apigateway"])]
    assert "invoke_rate_sync" in [name for name, _ in KINDS["lambda"].limits_after([])]
