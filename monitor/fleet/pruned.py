"""The reasons for which metrics are rarely requested: aggregates prove them to be 0, or their series safe."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.metric_query import without_abbreviations
from rules.plurals import agreeing


def pruned_reason(fleet: Fleet, series: Series) -> str:
    """Return why the throttled demand of a series is not read: "Throttles of the account is 0".

    Empty if it is read.
    """
    formula = fleet.throttled.get(series.slot)
    rows = np.array(formula.rows if formula else (), np.int32)
    if not rows.size or not fleet.rings.pruned[rows].all():
        return ""
    aggregates = dict.fromkeys(_metric_text(fleet, int(bound)) for bound in fleet.rings.bound[rows])
    return f"{' and '.join(aggregates)} {agreeing(len(aggregates), 'is', 'are')} 0"


def proof_of_safety(fleet: Fleet, series: Series) -> str:
    """Return the metrics that prove a series safe while its usage is hardly read: "Count of ApiName shop".

    Empty if the usage is read as often as its own danger requires.
    """
    formula = fleet.usages.get(series.slot)
    rows = np.array(formula.rows if formula else (), np.int32)
    if not rows.size or np.isnan(fleet.rings.safe_below[rows]).any():
        return ""
    return " and ".join(dict.fromkeys(_metric_text(fleet, int(whole)) for whole in fleet.rings.whole[rows]))


def pruned_counts(fleet: Fleet) -> Mapping[str, int]:
    """Return how many metrics are not read because of each kind of aggregate, the largest number first."""
    counts = Counter[str]()
    for cell in {group[:2] for group in fleet.groups}:
        rows = np.fromiter(fleet.metrics(cell).values(), np.int32)
        bounds, numbers = np.unique(fleet.rings.bound[rows[fleet.rings.pruned[rows]]], return_counts=True)
        for bound, number in zip(bounds.tolist(), numbers.tolist(), strict=True):
            counts[_metric_text(fleet, bound, with_values=False)] += number
    return dict(counts.most_common())


def _metric_text(fleet: Fleet, row: int, with_values: bool = True) -> str:
    """Return the name of a metric and the names of its dimensions, with or without their values."""
    metric: dict[str, Any] = orjson.loads(without_abbreviations(fleet.rings.metric[row]))["Metric"]
    names = [dimension["Name"] for dimension in metric["Dimensions"]]
    values = [f"{dimension['Name']} {dimension['Value']}" for dimension in metric["Dimensions"]]
    owner = ", ".join(values) if with_values else f"their {' and '.join(names)}"
    return f"{metric['MetricName']} of {owner if names else 'the account'}"
