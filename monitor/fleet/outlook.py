"""The outlook of one series: how good its forecasts were, and what another limit would change."""

from typing import NamedTuple


class TrackRecord(NamedTuple):
    """The results of the forecasts of a fortnight, for the limit in force now.

    announced_count: how many forecasts said that the limit would probably be reached, and are decided by now.
    came_true_count: how many of these forecasts came true in time. reached_count: how often the limit was
    reached while there was a forecast, whether the forecast announced it or not.
    """

    announced_count: int = 0
    came_true_count: int = 0
    reached_count: int = 0


class Outlook(NamedTuple):
    """The outlook of a series.

    probability: the probability of reaching another limit within each of HORIZONS; empty if unknown.
    """

    track: TrackRecord
    probability: tuple[float, ...] = ()
