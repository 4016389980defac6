"""The result of one scan: the rows of all series, and what could not be read."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from collectors.service_quotas.allowed_calls import CALLS_PER_HOUR
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import Key
from monitor.fleet.rows import Row
from monitor.report.blind_spots import has_no_numbers, unobservable_by_reason
from monitor.report.failed_reads import NO_FAILED_READS, FailedReads
from rules.plurals import agreeing, count_of


class UnreadQuotas(NamedTuple):
    """The counts and lists of quotas that a scan did not read, because its calls for quotas are limited.

    counts: the number of quotas whose resources were not counted. lists: the number of lists of a service's
    quotas, in an account and region, that were not read.
    """

    counts: int = 0
    lists: int = 0

    @property
    def sentence(self) -> str:
        """A sentence on the unread counts and lists, and how to read them; empty if there are none."""
        parts = [count_of(self.counts, "count")] if self.counts else []
        parts += [count_of(self.lists, "list") + " of quotas"] if self.lists else []
        if not parts:
            return ""
        verb = agreeing(sum(self), "was", "were")
        limit = f"at most {CALLS_PER_HOUR:,} calls in each account and region"
        return f"{' and '.join(parts)} of services in use {verb} not read; --counts reads them, with {limit}."


NOTHING_UNREAD = UnreadQuotas()


@dataclass(frozen=True, slots=True)
class Report:
    """The rows of all series, the most urgent first, and the failed reads of AWS.

    history_of: returns the last three hours of a series; None when no history is available.
    requested_failures: the failures that concern what the user requested; they make the report incomplete.
    unread_quotas: the counts and lists of quotas that were not read.
    """

    rows: Sequence[Row]
    failures: FailedReads = NO_FAILED_READS
    history_of: Callable[[Key], SeriesHistory] | None = None
    requested_failures: Sequence[str] = ()
    unread_quotas: UnreadQuotas = NOTHING_UNREAD


AnyReport = TypeVar("AnyReport", bound=Report)


def most_urgent(report: AnyReport, zones: Collection[str], number: int) -> AnyReport:
    """Return the report with only its `number` most urgent series in these zones.

    zones: the words of the zones; empty for any zone. number: 0 for all series.
    """
    rows = [row for row in report.rows if not zones or row.zone.word in zones]
    return replace(report, rows=rows[: number or None])


def rows_with_numbers(report: Report) -> list[Row]:
    """Return the rows that have a number to show; some of them are of unobservable series."""
    return [row for row in report.rows if not has_no_numbers(row)]


def unobservable_entries(report: Report) -> Iterator[tuple[str, str, str]]:
    """Yield names of unobservable series, their common reason, and the command that enables them, or ""."""
    for group in unobservable_by_reason(report.rows):
        for command, keys in group.keys_by_command.items():
            names = (f"{key.service}.{key.signal} of {key.display_name}" for key in keys)
            yield ", ".join(names), group.reason, command
