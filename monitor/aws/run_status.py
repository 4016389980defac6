"""The status of recurring work, such as an inventory: when it last ran, and what failed."""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from collectors.resource import Resource, ResourcePath
from monitor.aws.failure import Failure
from monitor.aws.failure_class import PERMANENT_CLASSES

MIN_FAILURE_INTERVAL = 45.0  # seconds; of two failed runs that are closer together, only the first counts


class FailureStreak(NamedTuple):
    """Consecutive runs with failures of one class. Times are epoch seconds.

    failed_runs: how many runs failed, without runs that ended within MIN_FAILURE_INTERVAL of the last
    counted run. last_clear: when the last run without such a failure ended; None if no such run is known.
    last_counted: when the last counted run ended.
    """

    failed_runs: int
    last_clear: float | None
    last_counted: float = -math.inf

    def extended(self, at: float) -> "FailureStreak":
        """Return the streak after another run with such a failure, which ended at `at`."""
        is_counted = at - self.last_counted >= MIN_FAILURE_INTERVAL
        return FailureStreak(self.failed_runs + 1, self.last_clear, at) if is_counted else self


@dataclass(slots=True)
class RunStatus:
    """The status of recurring work. Times are epoch seconds; None: never.

    started_at: when the last run began. ended_at: when a run last ended, with or without failures.
    succeeded_at: when a run that read something last ended without a failure. failures: the failures of the
    last run that ended. streaks: the streak of each class of failure in `failures`. interval: seconds between
    two runs, if this work runs less often than other work of its kind; else 0. waiting: how many resources
    the last run left for later runs to read. unread: the paths of the resources that were listed but not
    read, in the last run in which all lists succeeded; None: no such run.
    """

    started_at: float | None = None
    succeeded_at: float | None = None
    failures: Sequence[Failure] = ()
    ended_at: float | None = None
    streaks: Mapping[str, FailureStreak] = field(default_factory=dict)
    interval: float = 0.0
    waiting: int = 0
    unread: Set[ResourcePath] | None = None

    def __post_init__(self) -> None:
        if not self.streaks:
            self.streaks = self._extended_streaks(self.failures, self.succeeded_at, self.started_at or 0.0)

    @property
    def needs_confirmation(self) -> bool:
        """True if a possibly permanent failure occurred once, so that a second run must confirm it."""
        return any(
            streak.failed_runs == 1 and failure_class in PERMANENT_CLASSES
            for failure_class, streak in self.streaks.items()
        )

    def start(self, at: float) -> None:
        """Record that a run began at `at`."""
        self.started_at = at

    def set_interval(self, seconds: float) -> None:
        """Record that this work runs less often than other work of its kind; 0: as often."""
        self.interval = seconds

    def set_waiting(self, resources: int) -> None:
        """Record how many resources the last run left for later runs to read."""
        self.waiting = resources

    def set_unread(self, paths: Set[ResourcePath]) -> None:
        """Record that all lists of a run succeeded, and the resources in them that it did not read."""
        self.unread = paths

    def shows_deletion_of(self, resource: Resource) -> bool:
        """Return true if the last lists show that a resource does not exist any more.

        Call it only for a resource without series: one that was read has series, and is not in `unread`.
        A resource that was not read, or is a part of one that was not read, may exist.
        """
        if self.unread is None:
            return False
        return resource.path not in self.unread and self.unread.isdisjoint(resource.ancestor_paths)

    def end(
        self,
        failures: Sequence[Failure],
        at: float,
        not_retried: Sequence[Failure] = (),
        *,
        has_read: bool = True,
    ) -> None:
        """Record that a run ended at `at`, with these failures.

        not_retried: failures of calls that an earlier run made and this run did not repeat. They remain
        failures, and their streaks do not grow. has_read: whether the run had anything to read; a run that
        had nothing to read is no success.
        """
        # A class of failure that is new in this run was absent from the run before.
        last_clear = self.ended_at or self.succeeded_at
        extended = self._extended_streaks(failures, last_clear, at)
        begun_or_unchanged = {
            failure_class: self.streaks.get(failure_class, first_streak)
            for failure_class, first_streak in self._extended_streaks(not_retried, last_clear, at).items()
        }
        self.streaks = begun_or_unchanged | extended
        self.failures, self.ended_at = (*failures, *not_retried), at
        if has_read and not self.failures:
            self.succeeded_at = at

    def _extended_streaks(
        self, failures: Iterable[Failure], last_clear: float | None, at: float
    ) -> dict[str, FailureStreak]:
        """Return the streak of each class of these failures, extended by a run that ended at `at`.

        last_clear: when the run before this one ended; a class that is new in this run did not fail then.
        """
        classes = dict.fromkeys(failure.failure_class for failure in failures)
        new = FailureStreak(0, last_clear)
        return {failure_class: self.streaks.get(failure_class, new).extended(at) for failure_class in classes}
