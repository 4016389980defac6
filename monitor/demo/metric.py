"""A CloudWatch metric that the world emits: its identity, and its values as a pure function of the minute."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.demo.traffic import Floats, Minutes

Nature = dict[str, Callable[[Floats], Floats]]

# What each statistic of a minute is, by what the service reports. Average is Sum / SampleCount; NaN stays.
EVENTS: Nature = {  # one report of the value 1 for each event; v events
    "Sum": np.rint,
    "SampleCount": np.rint,
    "Maximum": lambda v: np.where(np.isnan(v), v, 1.0),
    "Minimum": lambda v: np.where(np.isnan(v), v, 1.0),
}
REQUEST_BYTES = 16 * 1024
BYTES: Nature = {  # one report for each request, of its size; v bytes
    "Sum": np.rint,
    "SampleCount": lambda v: np.ceil(v / REQUEST_BYTES),
    "Maximum": lambda v: np.where(np.isnan(v), v, 4.0 * REQUEST_BYTES),
    "Minimum": lambda v: np.where(np.isnan(v), v, REQUEST_BYTES / 16.0),
}
READING: Nature = {  # one report a minute; v read
    "Sum": lambda v: v,
    "SampleCount": lambda v: np.where(np.isnan(v), v, 1.0),
    "Maximum": lambda v: v,
    "Minimum": lambda v: v,
}
PEAK: Nature = {  # one report a second; v the highest
    "Sum": lambda v: 60 * 0.8 * v,
    "SampleCount": lambda v: np.where(np.isnan(v), v, 60.0),
    "Maximum": lambda v: v,
    "Minimum": lambda v: 0.6 * v,
}

# How the minutes of a period make its value; all pass over NaN.
COMBINED: dict[str, Callable[..., Floats]] = {
    "Sum": np.nansum,
    "SampleCount": np.nansum,
    "Maximum": np.fmax.reduce,
    "Minimum": np.fmin.reduce,
}


@dataclass(frozen=True, slots=True)
class Emitted:
    """A metric, identified by namespace, name and its exact set of dimensions."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    nature: Nature
    at: Callable[[Minutes], Floats]  # the value of each minute, NaN where the service emits none

    def values(self, statistic: str, starts: Minutes, length: int) -> Floats:
        """The statistic of each period of `length` minutes from its start on, NaN where it has no data.

        An unknown statistic (a percentile) never has any.
        """
        if statistic == "Average":
            with np.errstate(invalid="ignore"):  # of nothing at all
                return self.values("Sum", starts, length) / self.values("SampleCount", starts, length)
        if statistic not in self.nature:
            return np.full(len(starts), np.nan)
        minutes = np.add.outer(starts, np.arange(length))
        values = self.nature[statistic](self.at(minutes.ravel())).reshape(minutes.shape)
        return np.where(np.isnan(values).all(axis=1), np.nan, COMBINED[statistic](values, axis=1))


def accepted(demand: Floats) -> Floats:
    """What of the demand, a share of the limit, the limit lets through."""
    return np.minimum(demand, 1.0)


def refused(demand: Floats) -> Floats:
    """What of the demand the limit refuses; NaN where nothing is, because then no data point appears."""
    return np.where(demand > 1.0, demand - 1.0, np.nan)
