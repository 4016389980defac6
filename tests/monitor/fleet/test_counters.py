"""Counters that restart: what is shown of every declared signal that is judged by the rise of one."""

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

# Metrics that count since a start, of drivers and of nodes, as the caveats of their signals say.
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
POINTS = (1000.0, 1060.0, 30.0, 90.0)  # it rises by 60 a minute, and restarts once
RESTART = 2  # the minute, as an index
CASES = list(read_cases(TABLES))
FIELDS = ("usage", "throttled", "published_limit", "served", "upper_bound")


def uses(declaration: Declaration, *names: str) -> bool:
    """Return whether a formula of a service has one of these names."""
    formulas = (one for signal in declaration.signals.values() for _, one in signal.formulas)
    return any(name in one.text for one in formulas for name in names)


RISING = [one.service for one in DECLARATIONS.values() if uses(one, "rise(")]
COUNTING = [one.service for one in DECLARATIONS.values() if uses(one, "Exceeded", "Rejected")]


async def observed_by(service: str) -> list[Observed]:
    """The series in the cases of a service without failures."""
    found = []
    for case in (one for one in CASES if one.service == service and not one.failures):
        aws = FakeAws(region=case.region, **answers_by_method(case.answers))
        for scan in collector_of(DECLARATIONS[service]).scans:
            found += [observed async for observed in scan(aws.scan)]
    return found


def usages_of(observed: Observed) -> Iterator[Usage]:
    """The formulas of a series; those of throttled demand by cause are parts of `throttled`."""
    formulas = (getattr(observed, field) for field in FIELDS)
    yield from (one for one in formulas if isinstance(one, Usage))


def has_rise(usage: Usage) -> bool:
    """Return whether a rise is in the usage."""
    return any(node.op is Op.RISE for node in usage.nodes)


def counted(usage: Usage) -> list[Metric]:
    """The counters that a formula reads other than by their rise."""
    nodes = (node for node in usage.nodes if node.op is not Op.RISE)
    terms = (term for node in nodes for term, _ in node.terms)
    return [term for term in terms if isinstance(term, Metric) and term.name in COUNTERS]


def values(usage: Usage) -> list[float]:
    """The values of a formula whose metrics all have POINTS, in each minute but the first."""
    fleet = Fleet()
    series = add(fleet, key("counted"), usage=usage, throttled=None)
    minutes = np.arange(NOW - len(POINTS) + 1, NOW + 1, dtype=np.int32)
    rows = fleet.metrics(series.key.cell)
    for metric in set(usage.metrics):
        row = np.array([rows[metric_query(metric)]], np.int32)
        fleet.rings.write(np.repeat(row, len(POINTS)), minutes, np.array(POINTS, np.float32))
        fleet.rings.mark_read(row, NOW)
    slots = np.full(len(minutes) - 1, series.slot)
    found: list[float] = fleet.judged_at(slots, minutes[1:]).usage.tolist()
    return found


@pytest.mark.parametrize("service", RISING)
async def test_a_restarted_counter_has_no_value_in_that_minute_and_a_rise_in_the_next(
    service: str,
) -> None:
    usages = {one for observed in await observed_by(service) for one in usages_of(observed) if has_rise(one)}
    assert usages
    for usage in usages:
        before, restarted, after = values(usage)
        assert restarted == 0, usage
        assert after == pytest.approx(before) and before > 0, usage


@pytest.mark.parametrize("service", COUNTING)
async def test_a_counter_is_read_by_its_rise_alone(service: str) -> None:
    for observed in await observed_by(service):
        assert [one for usage in usages_of(observed) for one in counted(usage)] == []
