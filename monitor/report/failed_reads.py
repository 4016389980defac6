"""The failed reads of a scan: one by one for programs, and by cause for people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from collectors.registry import Registry
from monitor.alerting import blind_text
from monitor.alerting.visibility import BlindSpot, ObservationTarget, explain_denials, group_targets
from monitor.aws.failure import Failure
from monitor.aws.status import describe_failure
from monitor.polling.watcher import Watcher
from monitor.schema.selector import Location

# If an account has more failures of one cause than this, one sentence stands for all of them.
MAX_SINGLE_SENTENCES = 3
MAX_FAILED_READS = 100  # the maximum number of sentences for people

LocatedFailure = tuple[Location, Failure]


@dataclass(frozen=True, slots=True)
class FailedReads:
    """The failed reads of a scan, as sentences.

    by_failure: one sentence for each failure. by_cause: one sentence, with the remedy, for all failures of
    one account and class of cause if there are more than MAX_SINGLE_SENTENCES of them, as an account without
    permissions has hundreds of failures in each region; one sentence for each other failure.
    """

    by_failure: Sequence[str] = ()
    by_cause: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Return whether any read failed."""
        return bool(self.by_failure)

    @property
    def listed_sentences(self) -> Sequence[str]:
        """The first MAX_FAILED_READS sentences of `by_cause`, then one with the number of the others."""
        more = len(self.by_cause) - MAX_FAILED_READS
        last = (
            [f"{more:,} more lines are left out; `--format json` lists every failed read"] if more > 0 else []
        )
        return [*self.by_cause[:MAX_FAILED_READS], *last]


NO_FAILED_READS = FailedReads()


def failed_reads(watcher: Watcher, other_failures: Sequence[LocatedFailure] = ()) -> FailedReads:
    """Return the failed reads of a watcher, and other failures in its accounts."""
    cells = [
        ObservationTarget(account, region, "", watched.inventory.account_name, 0.0, 0.0)
        for (account, region), watched in watcher.cells.items()
    ]
    return FailedReads(
        by_failure=[*dict.fromkeys([*watcher.sentences(), *_sentence_of_each(other_failures)])],
        by_cause=[
            *watcher.members.list_failures(),
            *sentences_by_cause([*watcher.failures(), *other_failures], cells, watcher.registry),
        ],
    )


def sentences_by_cause(
    failures: Iterable[LocatedFailure], cells: Iterable[ObservationTarget], registry: Registry
) -> list[str]:
    """Return sentences for people about failures. cells: all cells that were read, as targets."""
    failing = explain_denials(_targets(failures))
    spots = group_targets(failing, [*failing, *cells])
    return [sentence for spot in spots for sentence in _sentences(spot, registry)]


def _targets(failures: Iterable[LocatedFailure]) -> list[ObservationTarget]:
    """Return a target for each location and class of cause."""
    ordered = sorted(failures, key=_location_and_cause)
    return [
        ObservationTarget(
            location.account or location.account_name,
            location.region,
            location.service,
            location.account_name,
            0.0,
            0.0,
            cause=cause,
            failures=tuple(failure for _, failure in group),
        )
        for (location, cause), group in groupby(ordered, _location_and_cause)
    ]


def _location_and_cause(located_failure: LocatedFailure) -> tuple[Location, str]:
    location, failure = located_failure
    return location, failure.failure_class


def _sentences(spot: BlindSpot, registry: Registry) -> Sequence[str]:
    """Return a sentence for each failure of a blind spot; if there are many, one with the remedy for all."""
    located_failures = [
        (Location(target.account, target.name, target.region, target.service), failure)
        for target in spot.targets
        for failure in target.failures
    ]
    sentences = _sentence_of_each(located_failures)
    if len(sentences) <= MAX_SINGLE_SENTENCES:
        return sentences
    return [" ".join((blind_text.summary(spot, registry), *blind_text.remedies(spot)))]


def _sentence_of_each(failures: Iterable[LocatedFailure]) -> list[str]:
    """Return a sentence for each failure; equal sentences once, as several reads may fail in the same way."""
    return [*dict.fromkeys(describe_failure(location, failure) for location, failure in failures)]
