"""CloudWatch metrics of simulated resources: their identity, and their values as functions of the minute."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from monitor.demo.traffic import Minutes
from rules.arrays import Float64s

StatisticFunctions = dict[str, Callable[[Float64s], Float64s]]

# The statistics of a minute as functions of `v`, one mapping per kind of report that services send to
# CloudWatch. Average is Sum / SampleCount; NaN stays NaN.
EVENTS: StatisticFunctions = {  # one report of the value 1 per event; v: the number of events
    "Sum": np.rint,
    "SampleCount": np.rint,
    "Maximum": lambda v: np.where(np.isnan(v), v, 1.0),
    "Minimum": lambda v: np.where(np.isnan(v), v, 1.0),
}
# One report per request: 1 if it was throttled, else 0. v: the number of throttled requests; for SampleCount,
# the number of all requests, which `DemoMetric.count_at` tells.
THROTTLES: StatisticFunctions = {
    "Sum": np.rint,
    "Maximum": lambda v: np.where(np.isnan(v), v, v > 0),
    "Minimum": lambda v: np.where(np.isnan(v), v, 0.0),
    "SampleCount": np.rint,
}
REQUEST_BYTES = 16 * 1024
BYTES: StatisticFunctions = {  # one report of the size per request; v: the bytes of all requests
    "Sum": np.rint,
    "SampleCount": lambda v: np.ceil(v / REQUEST_BYTES),
    "Maximum": lambda v: np.where(np.isnan(v), v, 4.0 * REQUEST_BYTES),
    "Minimum": lambda v: np.where(np.isnan(v), v, REQUEST_BYTES / 16.0),
}
REPORTED_EACH_MINUTE: StatisticFunctions = {  # one report per minute; v: its value
    "Sum": lambda v: v,
    "SampleCount": lambda v: np.where(np.isnan(v), v, 1.0),
    "Maximum": lambda v: v,
    "Minimum": lambda v: v,
}
REPORTED_EACH_SECOND: StatisticFunctions = {  # one report per second, from 0.6 v to v, 0.8 v on average
    "Sum": lambda v: 60 * 0.8 * v,
    "SampleCount": lambda v: np.where(np.isnan(v), v, 60.0),
    "Maximum": lambda v: v,
    "Minimum": lambda v: 0.6 * v,
}

# The statistics of a period, from those of its minutes; NaN is ignored. Average gives each minute the same
# weight; `DemoMetric.values` divides Sum by SampleCount instead.
PERIOD_STATISTICS: dict[str, Callable[..., Float64s]] = {
    "Sum": np.nansum,
    "SampleCount": np.nansum,
    "Maximum": np.fmax.reduce,
    "Minimum": np.fmin.reduce,
    "Average": lambda v, axis: np.nansum(v, axis) / np.maximum((~np.isnan(v)).sum(axis), 1),
}


@dataclass(frozen=True, slots=True)
class DemoMetric:
    """A metric, identified by namespace, name and its exact set of dimensions.

    value_at: the value of each minute; NaN where the service publishes none. count_at: the number of reports
    in each minute; None: `statistics` computes the number from the value.
    """

    namespace: str
    name: str
    dimensions: dict[str, str]
    statistics: StatisticFunctions
    value_at: Callable[[Minutes], Float64s]
    count_at: Callable[[Minutes], Float64s] | None = None

    def values(self, statistic: str, starts: Minutes, length: int) -> Float64s:
        """Return a statistic of periods of `length` minutes; NaN without data or for an unknown statistic.

        starts: the first minute of each period, in minutes since the start of the demo.
        """
        if statistic == "Average":
            with np.errstate(invalid="ignore"):  # 0 / 0 without data
                return self.values("Sum", starts, length) / self.values("SampleCount", starts, length)
        if statistic not in self.statistics:
            return np.full(len(starts), np.nan)
        minutes = np.add.outer(starts, np.arange(length))
        value_or_count_at = self.count_at if self.count_at and statistic == "SampleCount" else self.value_at
        minute_values = self.statistics[statistic](value_or_count_at(minutes.ravel()))
        return _values_of_periods(statistic, minute_values, length)


@dataclass(frozen=True, slots=True)
class StoriedMetric:
    """A metric whose statistics follow from stories. statistics: the values in each minute, by statistic."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    statistics: Mapping[str, Callable[[Minutes], Float64s]]

    def values(self, statistic: str, starts: Minutes, length: int) -> Float64s:
        """Return a statistic of periods of `length` minutes; NaN without data or for an unknown statistic.

        starts: the first minute of each period, in minutes since the start of the demo.
        """
        if statistic not in self.statistics:
            return np.full(len(starts), np.nan)
        minutes = np.add.outer(starts, np.arange(length)).ravel()
        return _values_of_periods(statistic, self.statistics[statistic](minutes), length)


AnyMetric = DemoMetric | StoriedMetric


def _values_of_periods(statistic: str, minute_values: Float64s, length: int) -> Float64s:
    """Return the statistic of each period of `length` minutes; for percentiles, the highest of the minutes.

    minute_values: the statistic of each minute, period after period.
    """
    periods = minute_values.reshape(-1, length)  # [period, minute]
    combine = PERIOD_STATISTICS.get(statistic, np.fmax.reduce)
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(periods).all(axis=1), np.nan, combine(periods, axis=1))


def accepted_demand(demand: Float64s) -> Float64s:
    """Return the accepted part of a demand. Both are shares of the limit."""
    return np.minimum(demand, 1.0)


def excess_demand(demand: Float64s) -> Float64s:
    """Return the throttled part of a demand; NaN where it is 0, as AWS then publishes no point.

    Both are shares of the limit.
    """
    return np.where(demand > 1.0, demand - 1.0, np.nan)
