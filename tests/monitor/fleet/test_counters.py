"""Counters that restart: the values of every declared signal that is judged by the rise of a counter."""

from collections.abc import Iterator

import numpy as np
import pytest

from collectors.base import Metric, Observed, Op, Usage
from collectors.declaration import Declaration
from collectors.declared import collector_of
from monitor.fleet.fleet import Fleet
from monitor.fleet.metric_query import metric_query
from tests.collectors.declared_cases import DECLARATIONS, TABLES, answers_by_method, read_cases
from tests.fake_aws import FakeAws
from tests.monitor.fleet.fleets import NOW, add, key

# Metrics that count since the start of a driver or a node, as the caveats of their signals say.
COUNTERS = {
    "ethtool_bw_in_allowance_exceeded",
    "ethtool_bw_out_allowance_exceeded",
    "ethtool_conntrack_allowance_exceeded",
    "ethtool_linklocal_allowance_exceeded",
    "ethtool_pps_allowance_exceeded",
    "CoordinatingWriteRejected",
    "PrimaryWriteRejected",
    "ThreadpoolIndexRejected",
    "ThreadpoolSearchRejected",
    "ThreadpoolWriteRejected",
}
POINTS = (1000.0, 1060.0, 30.0, 90.0)  # a counter that rises by 60 a minute, and restarts once
CASES = list(read_cases(TABLES))
FORMULA_FIELDS = ("usage", "throttled", "published_limit", "served", "upper_bound")


def uses(declaration: Declaration, *texts: str) -> bool:
    """Return whether a formula of a service contains one of these texts."""
    formulas = [formula for signal in declaration.signals.values() for _, formula in signal.formulas]
    return any(text in formula.text for formula in formulas for text in texts)


SERVICES_WITH_RISES = [entry.service for entry in DECLARATIONS.values() if uses(entry, "rise(")]
SERVICES_WITH_COUNTERS = [
    entry.service for entry in DECLARATIONS.values() if uses(entry, "Exceeded", "Rejected")
]


async def observed_by(service: str) -> list[Observed]:
    """Return the series that are observed in a service's test cases without failures."""
    all_observed = []
    for case in CASES:
        if case.service == service and not case.failures:
            aws = FakeAws(region=case.region, **answers_by_method(case.answers))
            for scan in collector_of(DECLARATIONS[service]).scans:
                all_observed += [observed async for observed in scan(aws.scan)]
    return all_observed


def usages_of(observed: Observed) -> Iterator[Usage]:
    """Yield the formulas of a series; the formulas of causes are parts of `throttled`."""
    formulas = (getattr(observed, field) for field in FORMULA_FIELDS)
    yield from (formula for formula in formulas if isinstance(formula, Usage))


def has_rise(usage: Usage) -> bool:
    """Return whether a formula contains a rise."""
    return any(node.op is Op.RISE for node in usage.nodes)


def counters_without_rise(usage: Usage) -> list[Metric]:
    """Return the counters that a formula uses other than by their rise."""
    nodes = (node for node in usage.nodes if node.op is not Op.RISE)
    terms = (term for node in nodes for term, _ in node.terms)
    return [term for term in terms if isinstance(term, Metric) and term.name in COUNTERS]


def values(usage: Usage) -> list[float]:
    """Return the values of a formula whose metrics all have POINTS, in each minute but the first."""
    fleet = Fleet()
    series = add(fleet, key("counted"), usage=usage, throttled=None)
    minutes = np.arange(NOW - len(POINTS) + 1, NOW + 1, dtype=np.int32)
    rows = fleet.metrics(series.key.cell)
    for metric in set(usage.metrics):
        row = np.array([rows[metric_query(metric)]], np.int32)
        fleet.rings.write(np.repeat(row, len(POINTS)), minutes, np.array(POINTS, np.float32))
        fleet.rings.mark_read(row, NOW)
    slots = np.full(len(minutes) - 1, series.slot)
    usage_by_minute: list[float] = fleet.judged_at(slots, minutes[1:]).usage.tolist()
    return usage_by_minute


@pytest.mark.parametrize("service", SERVICES_WITH_RISES)
async def test_the_rise_of_a_counter_is_0_in_the_minute_of_its_restart_and_right_in_the_next(
    service: str,
) -> None:
    usages = {usage for observed in await observed_by(service) for usage in usages_of(observed)}
    usages_with_rise = [usage for usage in usages if has_rise(usage)]
    assert usages_with_rise
    for usage in usages_with_rise:
        value_before, value_at_restart, value_after = values(usage)
        assert value_at_restart == 0, usage
        assert value_after == pytest.approx(value_before) and value_before > 0, usage


@pytest.mark.parametrize("service", SERVICES_WITH_COUNTERS)
async def test_formulas_use_only_the_rise_of_a_counter(service: str) -> None:
    for observed in await observed_by(service):
        assert [metric for usage in usages_of(observed) for metric in counters_without_rise(usage)] == []
