"""Cadences: the minutes that may pass until the metrics of a series are read again.

A series can wait as long as it cannot have reached the upper edge of its band, by its own history of rises.
"""

from dataclasses import dataclass

import numpy as np

from monitor.planning.intervals import Intervals
from monitor.planning.rises import HORIZONS
from rules.arrays import Flags, Floats, Ints

MAX_SAMPLE_AGE = 60  # minutes after which the newest sample says nothing about the present
HISTORY_DIVISOR = 12  # a series waits for at most a twelfth of its known history
NEAR_EDGE = 0.9  # share of the edge; a series with more usage is read at least twice within its `for`
DELAY_DIVISOR = 5  # a metric is not read again within a fifth of the time that AWS takes to publish a point
LATENESS = 1  # minutes by which a series may be read after the first minute in which it can be at its edge
NEAR_MEMORY = 7 * 1440  # minutes for which a series that was near its edge is read as if it still were
NOISE = 0.1  # share of the usage by which it may rise within an hour, even if it never rose


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """The facts about series that decide how soon they are read again; arrays with one entry per series.

    usage: the newest usage; NaN if unknown. edge: the usage at the upper edge of the band; NaN if no limit is
    known. rises: see `rises.highest_rises`. history_minutes: how many minutes of samples the rises were found
    in. sample_age_minutes: since the newest sample. minutes_since_near: since the series was last near its
    edge. pending_for: minutes a breach lasts before an alert fires. is_alerting: an alert is pending or
    fires.
    """

    usage: Floats
    edge: Floats
    rises: Floats
    history_minutes: Ints
    sample_age_minutes: Ints
    minutes_since_near: Ints
    pending_for: Ints
    is_alerting: Flags

    @property
    def is_urgent(self) -> Flags:
        """True where the usage is above the band, or an alert is pending or fires."""
        is_urgent: Flags = self.is_alerting | (self.usage >= self.edge)
        return is_urgent


def cadences(danger: Danger, intervals: Intervals) -> Ints:
    """Return the minutes until each series is to be read again, 1 at least.

    A series that crosses its edge is read at most LATENESS minutes later than if it were read every
    minute. A series that was near its edge within NEAR_MEMORY is read within 1 + LATENESS minutes, whatever
    its rises were.
    """
    max_wait = np.clip(danger.history_minutes // HISTORY_DIVISOR, 1, intervals.longest)
    wait = safe_minutes(danger.usage, danger.edge, danger.rises, danger.history_minutes) + 1 + LATENESS
    wait = np.where(danger.minutes_since_near <= NEAR_MEMORY, np.minimum(wait, 1 + LATENESS), wait)
    cadence = np.where(np.isnan(danger.edge), intervals.longest, np.minimum(wait, max_wait))
    is_near_edge = is_near(danger.usage, danger.edge)
    cadence = np.where(is_near_edge, np.minimum(cadence, np.maximum(danger.pending_for // 2, 1)), cadence)
    cadence = np.where(danger.usage >= danger.edge, 1, cadence)
    cadence = np.where(danger.sample_age_minutes > MAX_SAMPLE_AGE, intervals.longest, cadence)
    cadence = np.where(danger.is_alerting, 1, cadence)
    return np.maximum(cadence, intervals.shortest).astype(np.int32)


def is_near(usage: Floats, edge: Floats) -> Flags:
    """Return which usages are near an edge, or beyond it."""
    near: Flags = usage >= NEAR_EDGE * edge
    return near


def safe_minutes(usage: Floats, edge: Floats, rises: Floats, history_minutes: Ints) -> Ints:
    """Return the longest of HORIZONS in which a usage cannot reach its edge; 0 if there is none.

    Rises are widened, as a short history may not contain the highest rise.
    """
    horizon_share = HORIZONS / np.maximum(history_minutes, 1)[:, None].astype(np.float32)
    noise = NOISE * usage[:, None] * np.sqrt(HORIZONS / HORIZONS[-1])
    possible_rises = rises * (1 + np.sqrt(horizon_share)) + noise
    is_safe = np.logical_and.accumulate(usage[:, None] + possible_rises < edge[:, None], axis=1)
    safe: Ints = np.where(is_safe, HORIZONS, 0).max(axis=1)
    return safe
