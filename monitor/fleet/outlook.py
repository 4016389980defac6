"""The outlook of one series: how good its forecasts were, and what another limit would change."""

from typing import NamedTuple


class TrackRecord(NamedTuple):
    """The result of the forecasts of a fortnight, against the limit of now.

    announced: how often it was likely that the limit is reached, of what is decided by now. came_true: how
    often it then was, in time. reached: how often the limit was reached while there was a forecast, whether
    that was announced or not.
    """

    announced: int = 0
    came_true: int = 0
    reached: int = 0


class Outlook(NamedTuple):
    """An outlook. probability: of reaching the other limit within each of HORIZONS; empty if unknown."""

    track: TrackRecord
    probability: tuple[float, ...] = ()
