"""The content of `headroom report`, independent of its format."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from monitor.cost.idle import IdlePurchase, idle_purchases
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import Key
from monitor.fleet.rows import Row
from monitor.lib.percent import format_percent
from monitor.render.text import dollars
from monitor.report.blind_spots import unobservable_by_reason
from monitor.report.recommendation_formats import unpriced_text
from monitor.report.scan import ScanReport
from monitor.sizing.recommendations import Recommendation
from rules.band import Zone
from rules.plurals import agreeing, count_of
from rules.right_size import Advice

MAX_WORST = MAX_NEWLY_ABOVE = MAX_IDLE = MAX_SIZES = MAX_BLIND_SPOTS = 12  # entries of each section
MAX_COMMANDS = 4  # shown commands of a blind spot
MAX_FAILURES = 6  # shown sentences about failed reads

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Truncated(Generic[Item]):
    """The first items of a list, and the number of items that were left out."""

    items: Sequence[Item]
    omitted: int

    @classmethod
    def of(cls, items: Sequence[Item], limit: int) -> "Truncated[Item]":
        """Return the first `limit` items."""
        return cls(items[:limit], max(len(items) - limit, 0))


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """A series and its last three hours.

    since: epoch seconds at which the series entered its zone or, in `Summary.newly_above`, rose above its
    target band; None if that was earlier than three hours ago.
    repeated: whether the series was above its target band before `since`, within these hours.
    """

    row: Row
    history: SeriesHistory
    since: int | None
    repeated: bool


@dataclass(frozen=True, slots=True)
class ReportBlindSpot:
    """A reason why series are unobservable, and the number of these series.

    commands: the commands that make series observable, each with the keys of its series; empty without any.
    """

    reason: str
    series_count: int
    commands: Truncated[tuple[Sequence[Key], str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The content of a report, whatever its format.

    requested: the requested patterns by label.
    counts: the number of series in each zone.
    worst: the most urgent series; `omitted` counts the further series above their target bands.
    newly_above: the series that left their target bands upwards within the last three hours.
    idle: the purchases with idle capacity.
    idle_dollars_per_month: the list price of all idle capacity whose price is known.
    unpriced: the number of idle purchases without a known price.
    sizes: the recommendations to raise or lower; None if sizes were not requested.
    """

    scan: ScanReport
    requested: Mapping[str, Sequence[str]]
    counts: Mapping[Zone, int]
    worst: Truncated[SummaryRow]
    newly_above: Truncated[SummaryRow]
    idle: Truncated[IdlePurchase]
    idle_dollars_per_month: float
    unpriced: int
    sizes: Truncated[Recommendation] | None
    blind_spots: Truncated[ReportBlindSpot]
    failures: Truncated[str]

    @property
    def regions_by_account(self) -> Mapping[str, Sequence[str]]:
        """The regions that were read, by account name and id."""
        regions = defaultdict[str, list[str]](list)
        for account, region, name in self.scan.cells:
            regions[f"{name} ({account})" if name else account].append(region)
        return regions

    @property
    def price_sources(self) -> Sequence[str]:
        """The addresses at which AWS publishes the prices in use."""
        return sorted({purchase.price_source for purchase in self.idle.items if purchase.price_source})

    @property
    def sizes_text(self) -> str:
        """Sentences on the right sizes: what they save and cost, and how many are unknown."""
        if self.scan.sizes is None:
            return "No size was computed: --forecast reads the demand of the last 14 days."
        totals = self.scan.sizes.totals
        unknown, keep = totals.counts[Advice.UNKNOWN], totals.counts[Advice.KEEP]
        text = f"{count_of(keep, 'purchase')} of the right size, {unknown:,} without enough data. "
        text += f"Saved: {dollars(totals.saved)} a month; needed: {dollars(totals.needed)}, by list price"
        text += f"{unpriced_text(totals.unpriced, totals.maximum_changes)}."
        price_sources = {
            f"{change.price_source} ({change.price_read_on})"
            for change in self.scan.sizes.changes
            if change.price_source
        }
        if price_sources:
            text += f" Prices: {', '.join(sorted(price_sources))}."
        if omitted := self.scan.sizes.omitted:
            text += f" {count_of(omitted, 'more purchase')} {agreeing(omitted, 'was', 'were')} not examined."
        return text

    def size_texts(self, recommendation: Recommendation) -> tuple[str, str, str, str, str]:
        """Return resource, advice, peak, change of the monthly price, and reason of a recommendation."""
        change = recommendation.monthly_dollars
        if change is None:
            money = "as used" if recommendation.size.is_maximum else "unknown"
        else:
            money = f"{'-' if change < 0 else '+'}{dollars(abs(change))}"
        title = self.signal_title(recommendation.key)
        reason = f"{title} ({recommendation.reason})" if recommendation.reason else title
        return (
            recommendation.name,
            recommendation.change,
            format_percent(recommendation.utilization),
            money,
            reason,
        )

    def signal_title(self, key: Key) -> str:
        """Return the title of a series' signal."""
        return self.scan.registry.signal(key.service, key.signal).title

    def location(self, key: Key) -> str:
        """Return the account's name, or its id if it has no name, and the region, as text."""
        names = {account: name for account, _, name in self.scan.cells}
        return f"{names.get(key.account) or key.account}, {key.region}"


def summarize(scan: ScanReport, patterns: Mapping[str, Sequence[str] | None]) -> Summary:
    """Summarize a scan. patterns: by label, the patterns that selected its series."""
    judged_rows = [row for row in scan.rows if row.zone > Zone.STALE]
    rows_above = [_summary_row(scan, row, Zone.ABOVE) for row in judged_rows if row.zone >= Zone.ABOVE]
    worst = [_summary_row(scan, row, row.zone) for row in judged_rows[:MAX_WORST]]
    newly_above = sorted((row for row in rows_above if row.since), key=_newest_first)
    idle = idle_purchases(scan.rows, scan.history_of)
    return Summary(
        scan=scan,
        requested={label: chosen for label, chosen in patterns.items() if chosen},
        counts={zone: sum(row.zone is zone for row in scan.rows) for zone in sorted(Zone, reverse=True)},
        worst=Truncated(worst, max(len(rows_above) - MAX_WORST, 0)),
        newly_above=Truncated.of(newly_above, MAX_NEWLY_ABOVE),
        idle=Truncated.of(idle, MAX_IDLE),
        idle_dollars_per_month=sum(
            purchase.monthly_dollars for purchase in idle if purchase.monthly_dollars is not None
        ),
        unpriced=sum(purchase.monthly_dollars is None for purchase in idle),
        sizes=Truncated.of(scan.sizes.changes, MAX_SIZES) if scan.sizes else None,
        blind_spots=Truncated.of(_blind_spots(scan.rows), MAX_BLIND_SPOTS),
        failures=Truncated.of(scan.failures.by_cause, MAX_FAILURES),
    )


def _summary_row(scan: ScanReport, row: Row, zone: Zone) -> SummaryRow:
    history = scan.history_of(row.key)
    minute = history.since(zone)
    if minute is None:
        return SummaryRow(row, history, None, False)
    earlier_zones = history.zones[: minute - history.start]
    return SummaryRow(row, history, minute * 60, bool((earlier_zones >= Zone.ABOVE).any()))


def _newest_first(row: SummaryRow) -> tuple[bool, int]:
    """Return a sort key: series that rose for the first time come first; among equals, the latest rise."""
    return row.repeated, -(row.since or 0)


def _blind_spots(rows: Iterable[Row]) -> list[ReportBlindSpot]:
    """Return the reasons why series are unobservable, the most frequent first."""
    return [
        ReportBlindSpot(
            group.reason,
            group.series_count,
            Truncated.of([(keys, command) for command, keys in group.keys_by_command.items()], MAX_COMMANDS),
        )
        for group in unobservable_by_reason(rows)
    ]
