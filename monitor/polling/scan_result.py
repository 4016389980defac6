"""The result of one scan: the series that it found, and what it could not read."""

from collections.abc import Callable, Hashable, Set
from dataclasses import dataclass, field, replace

from collectors.resource import ResourcePath, TypedPath
from monitor.aws.failure import Failure
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings


@dataclass(slots=True)
class ScanResult:
    """The result of one scan.

    source: the collector's service, and the name of the scan function. started_at: when the scan began, in
    epoch seconds. failures: failures about single resources, and of the scan itself. not_found: the kinds and
    paths of resources that were deleted after they were listed. waiting: the paths of resources that wait for
    their turn to be read. keys: the keys of the series found. is_complete: the scan itself did not fail.
    """

    source: tuple[str, str]
    started_at: float
    failures: list[Failure]
    not_found: set[TypedPath]
    waiting: set[ResourcePath]
    keys: set[Key] = field(default_factory=set)
    is_complete: bool = False
    _settings: dict[Hashable, SeriesSettings] = field(default_factory=dict)  # by content
    # By the `id` of the old settings and the new read time: the old settings (held so that no other object
    # gets their id), and the new settings.
    _with_time: dict[tuple[int, float], tuple[SeriesSettings, SeriesSettings]] = field(default_factory=dict)
    _has_failed: bool = False
    _checked_count: int = 0  # how many failures `has_failed` has looked at

    @property
    def has_failed(self) -> bool:
        """True if there is a failure that is not about a single resource."""
        while not self._has_failed and self._checked_count < len(self.failures):
            self._has_failed = not self.failures[self._checked_count].resource_path
            self._checked_count += 1
        return self._has_failed

    @property
    def failed_paths(self) -> Set[ResourcePath]:
        """The paths of the resources with a failure."""
        return {failure.resource_path for failure in self.failures if failure.resource_path}

    def shared(self, settings: SeriesSettings) -> SeriesSettings:
        """Return the object that all series with equal settings share."""
        return self._settings.setdefault(settings.content, settings)

    def with_read_time(self, settings: SeriesSettings, read_at: float) -> SeriesSettings:
        """Return settings whose limit was read at this time; the same object if the time is unchanged."""
        if settings.limit is None or settings.limit.read_at == read_at:
            return settings
        key = id(settings), read_at
        if key not in self._with_time:
            limit = replace(settings.limit, read_at=read_at)
            self._with_time[key] = settings, self.shared(replace(settings, limit=limit))
        return self._with_time[key][1]

    def drop_predicate(self) -> Callable[[Key], bool]:
        """Return a predicate for the series that the scan found earlier: true if a series is to be dropped.

        A series is kept if the call about its resource failed, if its resource waits for its turn, or if the
        scan is incomplete. The series of deleted resources are dropped in any case.
        """
        unread = self.failed_paths | self.waiting

        def is_dropped(key: Key) -> bool:
            is_kept = key in self.keys or not self.is_complete or _belongs_to(key, unread)
            return not is_kept or not self.not_found.isdisjoint(key.subject.typed_lineage)

        return is_dropped


def _belongs_to(key: Key, paths: Set[ResourcePath]) -> bool:
    """Return true if a series belongs to one of these resources, or to a part of one of them."""
    return key.subject.path in paths or not paths.isdisjoint(key.subject.ancestor_paths)
