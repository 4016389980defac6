"""Checks that the metrics of a series are in the units that its signal needs."""

from collections.abc import Iterator

from collectors.base import PER_MINUTE, Metric, Observed, Op, Usage
from rules.signals import Signal
from rules.units import COUNT, Unit

# By operation: the terms that have the unit of its result. The last term of READER_LAG is the written amount.
TERMS_IN_UNIT = {
    Op.SUM: slice(None),
    Op.MAX: slice(None),
    Op.MIN: slice(None),
    Op.DIFFERENCE: slice(None),
    Op.COUNT_DIFFERENCE: slice(None),
    Op.READER_LAG: slice(-1),
}


def unit_conflicts(observed: Observed, signal: Signal) -> list[str]:
    """Return a sentence for each metric that is not in the unit of the amount that is computed from it.

    Only metrics that are added up or compared are checked: a weight other than 1 or PER_MINUTE may change the
    unit.
    """
    throttled_unit = signal.throttled_unit or COUNT
    formulas = {
        "usage": (observed.usage, signal.unit),
        "upper_bound": (observed.upper_bound, signal.unit),
        "published_limit": (observed.published_limit, signal.unit),
        "throttled": (observed.throttled, throttled_unit),
        "served": (observed.served, throttled_unit),
    }
    return [
        f"{signal.id}: {name} is in {unit}, {metric.name} in {metric.unit}"
        for name, (formula, unit) in formulas.items()
        for metric in _added_or_compared(formula)
        if not _is_in_unit(metric, unit)
    ]


def _added_or_compared(formula: object) -> Iterator[Metric]:
    """Yield the metrics that a formula adds up as they are, or compares with each other."""
    if isinstance(formula, Usage) and formula.op in TERMS_IN_UNIT:
        for term, weight in formula.terms[TERMS_IN_UNIT[formula.op]]:
            if abs(weight) in (1.0, PER_MINUTE):
                yield from (term,) if isinstance(term, Metric) else _added_or_compared(term)


def _is_in_unit(metric: Metric, unit: Unit) -> bool:
    """Return whether amounts of a metric are in a unit, whatever the unit is called."""
    metric_unit = COUNT if metric.stat == "SampleCount" else metric.unit
    return (metric_unit.kind, metric_unit.scale) == (unit.kind, unit.scale)
