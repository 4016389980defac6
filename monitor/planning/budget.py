"""A budget of dollars: how cadences stretch to keep within it, and how much may be spent at once."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from monitor.cost.prices import DOLLARS_PER_METRIC, SECONDS_PER_MONTH
from monitor.fleet.columns import Ints
from monitor.planning.cadence import MAX_INTERVAL

MAX_EXPONENT = 8.0  # with which 2 minutes become MAX_INTERVAL
BISECTIONS = 30
MAX_ADVANCE = 0.01  # of a month's budget that may be spent ahead, such as to read a fleet for the first time
MINUTES_PER_MONTH = SECONDS_PER_MONTH / 60

Doubles = npt.NDArray[np.float64]


def stretched(cadences: Ints, metrics_per_minute: float) -> Ints:
    """Return cadences in minutes, of metrics, that request at most this many metrics a minute on average.

    Those stretch most that are longest, as there is least danger; those of a minute stretch only once all
    others are as long as can be. None becomes longer than MAX_INTERVAL, unless it was.
    """
    if _requested(cadences.astype(np.float64)) <= metrics_per_minute:
        return cadences
    low, high = 0.0, MAX_EXPONENT + MAX_INTERVAL
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _requested(_stretch(cadences, middle)) <= metrics_per_minute:
            high = middle
        else:
            low = middle
    return np.ceil(_stretch(cadences, high)).astype(np.int32)


def _stretch(cadences: Ints, amount: float) -> Doubles:
    """Cadences to the power of 1 + amount; an amount beyond MAX_EXPONENT is the shortest cadence less 1."""
    exponent, shortest = min(amount, MAX_EXPONENT), max(amount - MAX_EXPONENT, 0.0) + 1
    longest = np.maximum(cadences, MAX_INTERVAL)
    longer: Doubles = np.minimum(np.maximum(cadences ** (1 + exponent), shortest), longest)
    return longer


def _requested(cadences: Doubles) -> float:
    """The metrics that are requested in a minute on average."""
    return float((1 / cadences).sum())


def minimum_dollars(metrics: int) -> float:
    """Return what a month costs if each metric is requested once in MAX_INTERVAL minutes."""
    return metrics * MINUTES_PER_MONTH / MAX_INTERVAL * DOLLARS_PER_METRIC


class Allowance:
    """The metrics that may be requested within a budget: they grow with the time, and may not be saved up.

    At most MAX_ADVANCE of a month's budget can be spent at once, so a month costs at most that much more.
    polled: the number of metrics. Each may be requested once in MAX_INTERVAL minutes, whatever the budget.
    """

    def __init__(self, dollars_per_month: float) -> None:
        self._budgeted = dollars_per_month / DOLLARS_PER_METRIC / MINUTES_PER_MONTH
        self.polled = 0
        self._ahead = 0.0  # metrics requested beyond the average so far
        self._reserved, self._requested = 0, 0
        self._minute: float | None = None

    @property
    def metrics_per_minute(self) -> float:
        """The number of metrics that may be requested in a minute on average."""
        return max(self._budgeted, self.polled / MAX_INTERVAL)

    def update(self, minute: float, requested: int) -> None:
        """Charge what was requested until a minute of a monotonic clock.

        requested: all metrics requested so far, whoever asked.
        """
        if self._minute is None:  # an earlier configuration of the process may have requested metrics
            self._minute, self._requested = minute, requested
        passed = minute - self._minute
        still_ahead = max(self._ahead - passed * self.metrics_per_minute, 0.0)
        self._ahead = still_ahead + requested - self._requested
        self._minute, self._requested = minute, requested

    def reserve(self, metrics: int) -> int:
        """Return how many of these metrics may be requested now; `release` them when they were charged."""
        most = MAX_ADVANCE * self.metrics_per_minute * MINUTES_PER_MONTH
        granted = int(min(metrics, max(most - self._ahead - self._reserved, 0)))
        self._reserved += granted
        return granted

    def release(self, metrics: int) -> None:
        """End a reservation."""
        self._reserved -= metrics


class Budget:
    """The allowances of a configured budget. each_account: every account has one of its own.

    clock: returns monotonic seconds. requested: returns all metrics requested so far by account, whoever
    asked.
    """

    def __init__(
        self,
        dollars_per_month: float,
        each_account: bool,
        clock: Callable[[], float],
        requested: Callable[[], Mapping[str, int]],
    ) -> None:
        self.dollars_per_month, self.each_account = dollars_per_month, each_account
        self._clock, self._requested = clock, requested
        self._allowances = dict[str, Allowance]()

    def allowance(self, account: str) -> Allowance:
        """Return the allowance of an account, which may be that of all, with what is available now."""
        requested = self._requested()
        name = account if self.each_account else ""
        allowance = self._allowances.setdefault(name, Allowance(self.dollars_per_month))
        total = requested.get(account, 0) if self.each_account else sum(requested.values())
        allowance.update(self._clock() / 60, total)
        return allowance
