"""A CloudWatch metric that the world emits: its identity, and its values as a pure function of the minute."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.demo.traffic import Floats, Minutes

Nature = dict[str, Callable[[Floats], Floats]]

# What each statistic of a minute is, by what the service reports. NaN stays NaN: the minute has no data point.
EVENTS: Nature = {  # one report of the value 1 for each event; v events
    "Sum": np.rint,
    "SampleCount": np.rint,
    "Average": lambda v: np.where(np.isnan(v), v, 1.0),
    "Maximum": lambda v: np.where(np.isnan(v), v, 1.0),
    "Minimum": lambda v: np.where(np.isnan(v), v, 1.0),
}
REQUEST_BYTES = 16 * 1024
BYTES: Nature = {  # one report for each request, of its size; v bytes
    "Sum": np.rint,
    "SampleCount": lambda v: np.ceil(v / REQUEST_BYTES),
    "Average": lambda v: v / np.maximum(np.ceil(v / REQUEST_BYTES), 1.0),
    "Maximum": lambda v: np.where(np.isnan(v), v, 4.0 * REQUEST_BYTES),
    "Minimum": lambda v: np.where(np.isnan(v), v, REQUEST_BYTES / 16.0),
}
READING: Nature = {  # one report a minute; v read
    "Sum": lambda v: v,
    "SampleCount": lambda v: np.where(np.isnan(v), v, 1.0),
    "Average": lambda v: v,
    "Maximum": lambda v: v,
    "Minimum": lambda v: v,
}
PEAK: Nature = {  # one report a second; v the highest
    "Sum": lambda v: 60 * 0.8 * v,
    "SampleCount": lambda v: np.where(np.isnan(v), v, 60.0),
    "Average": lambda v: 0.8 * v,
    "Maximum": lambda v: v,
    "Minimum": lambda v: 0.6 * v,
}


@dataclass(frozen=True, slots=True)
class Emitted:
    """A metric, identified by namespace, name and its exact set of dimensions."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    nature: Nature
    at: Callable[[Minutes], Floats]  # the value of each minute, NaN where the service emits none

    def values(self, statistic: str, minutes: Minutes) -> Floats:
        """The statistic of each minute; an unknown statistic (a percentile) has no data."""
        convert = self.nature.get(statistic)
        return convert(self.at(minutes)) if convert else np.full(len(minutes), np.nan)


def accepted(demand: Floats) -> Floats:
    """What of the demand, a share of the limit, the limit lets through."""
    return np.minimum(demand, 1.0)


def refused(demand: Floats) -> Floats:
    """What of the demand the limit refuses; NaN where nothing is, because then no data point appears."""
    return np.where(demand > 1.0, demand - 1.0, np.nan)
