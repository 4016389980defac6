"""The registry: how it is built, the problems that it reports, and its independence of other registries."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.builtin import builtin_registry
from collectors.registry import build_registry
from monitor.alerting.blind_text import iam_action
from monitor.aws.cell_factory import call_rates
from monitor.aws.iam import policy
from monitor.config.exclude import excludes_all_of
from monitor.dashboards import prometheus, runbooks
from monitor.polling.metric_services import MetricServices
from monitor.schema.selector import Location, Selector
from monitor.stream.aws_setup import filters_for
from monitor.stream.declared_metrics import DeclaredMetrics
from tests.own_services import own_collector, own_registry, own_service
from tests.registries import REGISTRY

names = st.lists(st.text("abcdef", min_size=1, max_size=3), max_size=4)


def test_the_built_in_registry_is_built_once() -> None:
    assert builtin_registry() is builtin_registry()


def test_a_registry_does_not_change() -> None:
    registry = own_registry("one")
    services: Any = registry.services
    with pytest.raises(TypeError):
        services["two"] = own_service("two")
    with pytest.raises(FrozenInstanceError):
        registry.collectors = ()  # type: ignore[misc]


PROBLEMS = [
    (["one", "one"], ["one"], ["one: expected one collector, found 2"]),
    (["one"], ["one", "one"], ["one: expected one entry in the catalogue, found 2"]),
    (["one"], [], ["one: expected an entry in the catalogue, found none"]),
    ([], ["one"], ["one: expected a collector, found none"]),
    (
        ["one", "two", "two"],
        ["two", "three"],
        [
            "two: expected one collector, found 2",
            "one: expected an entry in the catalogue, found none",
            "three: expected a collector, found none",
        ],
    ),
]


@pytest.mark.parametrize(("collector_names", "entry_names", "problems"), PROBLEMS)
def test_all_problems_are_reported_at_once(
    collector_names: list[str], entry_names: list[str], problems: list[str]
) -> None:
    with pytest.raises(ValueError) as error:
        build_registry(map(own_collector, collector_names), map(own_service, entry_names))
    assert str(error.value).split("; ") == problems


@given(collector_names=names, entry_names=names)
def test_a_registry_needs_one_collector_and_one_catalogue_entry_of_each_service(
    collector_names: list[str], entry_names: list[str]
) -> None:
    are_distinct = len({*collector_names}) == len(collector_names)
    is_complete = are_distinct and sorted(collector_names) == sorted(entry_names)
    try:
        registry = build_registry(map(own_collector, collector_names), map(own_service, entry_names))
    except ValueError:
        assert not is_complete
    else:
        assert is_complete
        assert registry.service_names == tuple(collector_names)  # in the order of the collectors
        assert list(registry.services) == entry_names


def test_signals_titles_collectors_and_quotas_are_looked_up_by_the_name_of_a_service() -> None:
    registry = own_registry("one", "two")
    assert registry.signal("two", "rate").id == "two.rate"
    assert registry.signal_names == (
        "size",
        "one.size",
        "rate",
        "one.rate",
        "size",
        "two.size",
        "rate",
        "two.rate",
    )
    assert (registry.title("one"), registry.title("three")) == ("Own one", "three")
    assert [collector.service for collector in registry.collectors_of({"two", "three"})] == ["two"]
    assert {quota.service for quota in registry.quotas(["one"])} == {"one"}
    with pytest.raises(KeyError):
        registry.signal("one", "weight")
    with pytest.raises(KeyError):
        registry.quotas(["three"])


def test_the_scope_of_an_unknown_service_raises_key_error() -> None:
    registry = own_registry("one")
    assert registry.scope_of("one") is registry.collectors[0].scope
    with pytest.raises(KeyError):
        registry.scope_of("two")


def test_the_outputs_of_a_registry_do_not_mention_the_service_of_another_registry() -> None:
    for name, other in (("one", "two"), ("two", "one")):
        registry = own_registry(name)
        entries, collectors = registry.services.values(), registry.collectors
        declared = DeclaredMetrics.of(collectors)
        outputs = [
            policy(collectors),
            call_rates(collectors),
            filters_for(collectors),
            declared,
            MetricServices(collectors).count([b'{"Namespace":"Own/two"', b'{"Namespace":"Own/one"']),
            prometheus.files(entries),
            runbooks.files(registry),
        ]
        assert f"Own/{name}" in str(declared)
        assert not any(f"{prefix}{other}" in str(outputs) for prefix in ("Own/", "Own ", "service='"))
        assert declared.decoded_statistics[-1] == "p99"


def test_cached_results_of_one_registry_are_not_used_for_another() -> None:
    """Both registries have a service of the same name, with different titles and signals."""
    entries = [own_service("one", title) for title in ("First", "Second")]
    registries = [build_registry([own_collector("one")], [entry]) for entry in entries]
    assert [registry.title("one") for registry in registries] == ["First", "Second"]
    assert iam_action("one", "ListAll", own_registry("two")) == "one:ListAll"
    selectors = [Selector.model_validate({"signal": signal}) for signal in ("size", "rate")]
    location = Location("123456789012", service="one")
    assert all(excludes_all_of(selectors, location, registry) for registry in registries)


def test_every_setting_that_makes_a_usage_observable_has_a_cost_with_a_page_of_aws_as_source() -> None:
    declarations = [collector.declaration for collector in REGISTRY.collectors if collector.declaration]
    signals = [signal for declaration in declarations for signal in declaration.signals.values()]
    all_reasons = [reason for signal in signals for reason in (signal.unobservable, signal.bound)]
    reasons = [reason for reason in all_reasons if reason and reason.enable]
    assert len(reasons) >= 6
    for reason in reasons:
        assert reason.cost, reason.enable
        assert reason.cost.source.startswith("https://docs.aws.amazon.com/")
