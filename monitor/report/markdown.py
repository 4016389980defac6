"""The summary as Markdown, with tables as GitHub renders them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from monitor.fleet.key import Key
from monitor.fleet.rows import Row
from monitor.lib.percent import format_percent
from monitor.lib.version import VERSION
from monitor.render.markdown import code_span, escape_markdown
from monitor.render.sparkline import LEGEND, sparkline
from monitor.render.text import dollars
from monitor.report.check_tables import forecast_text
from monitor.report.html import long_timestamp
from monitor.report.summary import Summary, SummaryRow
from rules.plurals import agreeing, count_of

SERIES_COLUMNS = ("zone", "resource", "location", "utilization", "usage", "limit", "three hours")
NUMERIC_COLUMNS = ("utilization", "usage", "limit", "per month")
UNKNOWN = "Unknown: no series could be judged."
MAX_SERIES_PER_COMMAND = 5  # the maximum number of series listed for one command


def as_markdown(summary: Summary) -> str:
    """Return the Markdown document."""
    parts = (_head, _worst, _newly_above, _idle, _sizes, _blind_spots, _foot)
    return "\n\n".join("\n".join(part(summary)) for part in parts) + "\n"


def table_lines(
    columns: Sequence[str], rows: Iterable[Sequence[str]], numeric_columns: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the lines of a table. The cells are Markdown; numeric columns are aligned to the right."""
    ruler = ["---:" if column in numeric_columns else "---" for column in columns]
    for row in (columns, ruler, *rows):
        yield f"| {' | '.join(row)} |"


def _omitted(number: int) -> list[str]:
    return ["", f"{number} more are not listed."] if number else []


def _head(summary: Summary) -> Iterator[str]:
    yield "# AWS limits"
    yield ""
    finished_at = long_timestamp(summary.scan.finished_at)
    text = f"Generated on {finished_at} by Headroom {VERSION} from the last three hours"
    accounts = "; ".join(
        f"{account} in {', '.join(regions)}" for account, regions in summary.regions_by_account.items()
    )
    if accounts:
        text += f", for {escape_markdown(accounts)}"
    requested = ", ".join(f"{label} {' or '.join(patterns)}" for label, patterns in summary.requested.items())
    if requested:
        text += f"; only {escape_markdown(requested)}"
    yield f"{text}."
    yield ""
    counts = {zone.word: str(number) for zone, number in summary.counts.items()}
    yield from table_lines(list(counts), [list(counts.values())], list(counts))


def _worst(summary: Summary) -> Iterator[str]:
    yield "## Most urgent"
    yield ""
    if not summary.worst.items:
        yield "No series could be judged."
        return
    rows = [
        [*_series_cells(summary, entry), _since(entry), _remedy(entry.row)] for entry in summary.worst.items
    ]
    yield from table_lines([*SERIES_COLUMNS, "since", "first remedy"], rows, NUMERIC_COLUMNS)
    yield from ["", LEGEND]
    if more := summary.worst.omitted:
        yield from [
            "",
            f"{more:,} more series {agreeing(more, 'is above its band', 'are above their bands')}.",
        ]


def _series_cells(summary: Summary, entry: SummaryRow) -> list[str]:
    row = entry.row
    throttled = f" ({row.throttled:.3g}/s throttled)" if row.throttled else ""
    limit = "unknown" if row.limit is None else row.unit.format(row.limit)
    texts = (
        row.zone.word + throttled,
        _series_title(summary, row.key),
        summary.location(row.key),
        "; ".join(filter(None, (format_percent(row.utilization), forecast_text(row)))),
    )
    return [
        *map(escape_markdown, (*texts, row.usage_text, limit)),
        code_span(sparkline(entry.history)),
    ]


def _series_title(summary: Summary, key: Key) -> str:
    return f"{key.display_name}: {summary.signal_title(key)}"


def _since(entry: SummaryRow) -> str:
    if entry.since is None:
        return "over three hours"
    return f"{datetime.fromtimestamp(entry.since, UTC):%d %b %H:%M} UTC"


def _remedy(row: Row) -> str:
    return escape_markdown(row.signal.remedy[0])


def _newly_above(summary: Summary) -> Iterator[str]:
    yield "## Newly above the target band"
    yield ""
    yield "Series that left their target band upwards within the last three hours and are still above it."
    if summary.newly_above.items:
        yield ""
        rows = [
            [
                _since(entry) + (", again" if entry.repeated else ""),
                *_series_cells(summary, entry),
            ]
            for entry in summary.newly_above.items
        ]
        yield from table_lines(["since", *SERIES_COLUMNS], rows, NUMERIC_COLUMNS)
        yield from _omitted(summary.newly_above.omitted)
    else:
        yield "None." if summary.worst.items else UNKNOWN


def _idle(summary: Summary) -> Iterator[str]:
    yield "## Idle capacity"
    yield ""
    if not summary.idle.items:
        yield "No provisioned capacity is below its target band." if summary.worst.items else UNKNOWN
        return
    yield (
        "Provisioned capacity below its target band. After the proposed reduction, the highest minute of the "
        "last three hours would be in the middle of the band; daily or monthly peaks outside these hours are "
        "not considered."
    )
    yield ""
    columns = ("resource", "location", "provisioned", "peak usage", "can be reduced by", "per month", "price")
    rows = [
        (
            f"{purchase.name}: {summary.signal_title(purchase.key)}",
            summary.location(purchase.key),
            purchase.bought_text,
            purchase.peak_text,
            purchase.spare_text or "unknown",
            "unknown" if purchase.monthly_dollars is None else dollars(purchase.monthly_dollars),
            purchase.price_text,
        )
        for purchase in summary.idle.items
    ]
    yield from table_lines(columns, [list(map(escape_markdown, row)) for row in rows], NUMERIC_COLUMNS)
    yield from _omitted(summary.idle.omitted)
    yield ""
    yield _idle_total(summary)


def _idle_total(summary: Summary) -> str:
    if summary.unpriced == len(summary.idle.items) + summary.idle.omitted:
        return "No total is given, because none of these prices is known."
    unpriced_text = f" (without {summary.unpriced} of unknown price)" if summary.unpriced else ""
    return (
        f"**{dollars(summary.idle_dollars_per_month)} per month in total**{unpriced_text}. "
        f"List prices, without discounts and taxes: {', '.join(summary.price_sources)}"
    )


def _sizes(summary: Summary) -> Iterator[str]:
    yield "## Right sizes"
    yield ""
    if summary.sizes and summary.sizes.items:
        columns = ("resource", "location", "advice", "peak", "per month", "why")
        texts = [(size, summary.size_texts(size)) for size in summary.sizes.items]
        rows = [(name, summary.location(size.key), *cells) for size, (name, *cells) in texts]
        yield from table_lines(columns, [list(map(escape_markdown, row)) for row in rows], NUMERIC_COLUMNS)
        yield from _omitted(summary.sizes.omitted)
        yield ""
        yield from (f"- {code_span(size.command)}" for size in summary.sizes.items if size.command)
        yield ""
    yield escape_markdown(summary.sizes_text)


def _blind_spots(summary: Summary) -> Iterator[str]:
    yield "## Blind spots"
    yield ""
    for cause in summary.blind_spots.items:
        yield f"- {escape_markdown(cause.reason)}: {cause.series_count} series"
        for keys, enable_command in cause.commands.items:
            names = "; ".join(
                f"{_series_title(summary, key)} ({summary.location(key)})"
                for key in keys[:MAX_SERIES_PER_COMMAND]
            )
            omitted = len(keys) - MAX_SERIES_PER_COMMAND
            more = f" and {omitted} more" if omitted > 0 else ""
            yield f"  - {escape_markdown(names)}{more}" + (
                f": {code_span(enable_command)}" if enable_command else ""
            )
        if cause.commands.omitted:
            left_out = cause.commands.omitted
            yield f"  - {left_out:,} more {agreeing(left_out, 'is', 'are')} not listed."
    yield from (f"- Failed read of AWS: {escape_markdown(sentence)}" for sentence in summary.failures.items)
    if not summary.blind_spots.items and not summary.failures.items:
        yield "None."
    yield from (*_omitted(summary.blind_spots.omitted), *_omitted(summary.failures.omitted))


def _foot(summary: Summary) -> Iterator[str]:
    scan = summary.scan
    yield f"Series read: {len(scan.rows)}."
    unpriced = scan.unpriced_metrics
    unpriced_text = (
        f" {unpriced:,} more {agreeing(unpriced, 'was', 'were')} requested of accounts that are not billed "
        "in dollars."
    )
    yield (
        f"Cost of this scan: {dollars(scan.cost_dollars)} for {count_of(scan.metrics_requested, 'metric')} "
        f"requested of CloudWatch's GetMetricData.{unpriced_text if unpriced else ''}"
    )
