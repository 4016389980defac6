"""The status of what runs again and again: when it ran last, and what failed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.aws.failure import Failure
from monitor.aws.failure_class import PERMANENT_CLASSES

MIN_FAILURE_INTERVAL = 45.0  # seconds; two failures that are closer count as one


class FailureStreak(NamedTuple):
    """Consecutive runs with failures of one class.

    failures: how many; runs within MIN_FAILURE_INTERVAL of each other count as one. last_clear: when the last
    run without such a failure ended. last_counted: when the last run that was counted ended.
    """

    failures: int
    last_clear: float | None
    last_counted: float = -math.inf

    def extended(self, at: float) -> "FailureStreak":
        """The streak after another run with such a failure, which ended at this time."""
        is_counted = at - self.last_counted >= MIN_FAILURE_INTERVAL
        return FailureStreak(self.failures + 1, self.last_clear, at) if is_counted else self


@dataclass(slots=True)
class RunStatus:
    """The status of something that runs again and again. Times are epoch seconds; None: never.

    started_at: when the last run began. ended_at: when the last one ended, with or without failures.
    succeeded_at: when the last one without a failure ended. failures: those of the last run that ended.
    streaks: by class of failure, for the classes in `failures`. interval: seconds between two runs, where it
    runs more rarely than others of its kind; else 0. waiting: how many resources the last run left
    to later ones to read.
    """

    started_at: float | None = None
    succeeded_at: float | None = None
    failures: Sequence[Failure] = ()
    ended_at: float | None = None
    streaks: Mapping[str, FailureStreak] = field(default_factory=dict)
    interval: float = 0.0
    waiting: int = 0

    def __post_init__(self) -> None:
        if not self.streaks:
            self.streaks = self._streaks(self.failures, self.succeeded_at, self.started_at or 0.0)

    @property
    def needs_confirmation(self) -> bool:
        """True if it failed once, with a failure that may be permanent, so that a second run decides."""
        return any(
            streak.failures == 1 and kind in PERMANENT_CLASSES for kind, streak in self.streaks.items()
        )

    def end(self, failures: Sequence[Failure], at: float, not_retried: Sequence[Failure] = ()) -> None:
        """Record that a run ended at this time, with these failures.

        not_retried: failures of an earlier run that this one did not try again; no streak counts them twice.
        """
        last_clear = self.ended_at or self.succeeded_at
        counted, first = (self._streaks(some, last_clear, at) for some in (failures, not_retried))
        self.streaks = {kind: self.streaks.get(kind, streak) for kind, streak in first.items()} | counted
        self.failures, self.ended_at = (*failures, *not_retried), at
        if not self.failures:
            self.succeeded_at = at

    def _streaks(
        self, failures: Iterable[Failure], last_clear: float | None, at: float
    ) -> dict[str, FailureStreak]:
        kinds = dict.fromkeys(failure.failure_class for failure in failures)
        return {kind: self.streaks.get(kind, FailureStreak(0, last_clear)).extended(at) for kind in kinds}
