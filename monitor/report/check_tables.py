"""The table of `headroom check`: wide, compact or narrow, by the width of the terminal."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import TextIO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from monitor.fleet.rows import Row
from monitor.lib.percent import format_percent
from monitor.lib.text import escape_unprintable
from monitor.render.sparkline import LEGEND, LENGTH, sparkline
from monitor.render.styles import STYLES
from monitor.render.text import usage_of_limit
from monitor.report.report import Report, rows_with_numbers, unobservable_entries
from monitor.report.terminal import PIPED_WIDTH

HISTORY, USAGE_OF_LIMIT = "three hours", "usage of limit"
NUMERIC_COLUMNS = ("utilization", "usage", "limit", "throttled")
COLUMNS = ("zone", "utilization", "usage", "limit", "source", "signal", "resource", "location", "sampled")
FORECAST_COLUMN = "forecast"  # a column only if a series has a forecast
COMPACT_COLUMNS = (
    "zone",
    HISTORY,
    "throttled",
    "utilization",
    USAGE_OF_LIMIT,
    "signal",
    "resource",
    "region",
)
MIN_USAGE_WIDTH = 20  # characters of USAGE_OF_LIMIT in the compact table
NO_SERIES = "No series found for the configured accounts, regions and services, and the given filters."


def columns_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the columns of a table of these rows."""
    return (*COLUMNS, FORECAST_COLUMN) if any(map(forecast_text, rows)) else COLUMNS


def forecast_text(row: Row) -> str:
    """Return when a series reaches its limit, as text; empty if no forecast is known."""
    return row.reach.text(row.sample_time // 60) if row.sample_time is not None else ""


def column_texts(row: Row) -> tuple[str, ...]:
    """Return a row as tables show it, in the order of COLUMNS and FORECAST_COLUMN."""
    key = row.key
    return (
        row.zone.word + (f" ({row.throttled:.3g}/s throttled)" if row.throttled else ""),
        format_percent(row.utilization),
        row.usage_text,
        "-" if row.limit is None else row.unit.format(row.limit),
        row.source.value if row.source else "-",
        f"{key.service}.{key.signal}",
        f"{key.display_name} (largest: {row.largest_resource})" if row.largest_resource else key.display_name,
        f"{key.account}/{key.region}",
        row.sample_time_text.removesuffix(":00Z").replace("T", " ") or "never",
        forecast_text(row) or "-",
    )


def write_table(report: Report, out: TextIO) -> None:
    """Write series, unobservable series and failed reads as text; piped output has one line per series."""
    is_terminal = out.isatty()
    console = Console(file=out, highlight=False, soft_wrap=True, width=None if is_terminal else PIPED_WIDTH)
    rows, sparklines = rows_with_numbers(report), row_sparklines(report, console) if is_terminal else None
    without_sparklines = wide_table(rows)
    candidates = [without_sparklines]
    if sparklines:
        candidates = [wide_table(rows, sparklines), without_sparklines, compact_table(rows, sparklines)]
    table = next((table for table in candidates if fits(console, table)), None)
    table = table or narrow_table(rows, sparklines)
    console.print(table)
    if sparklines and table is not without_sparklines:
        console.print(Text(LEGEND, "dim"))
    if not report.rows:
        console.print(NO_SERIES)
    _write_lists(report, console)


def _write_lists(report: Report, console: Console) -> None:
    unobservable = []
    for names, reason, command in unobservable_entries(report):
        unobservable += [f"- {names}: {reason}", *([f"    {command}"] if command else [])]
    failures = [f"- {sentence}" for sentence in report.failures.listed_sentences]
    for title, lines in {"Unobservable series": unobservable, "Failed reads of AWS": failures}.items():
        if lines:
            console.print(Text(f"\n{title}", "bold"))
        for line in lines:
            console.print(Text(escape_unprintable(line)))
    if report.unread_quotas.sentence:
        console.print(Text(f"\n{report.unread_quotas.sentence}"))


def row_sparklines(report: Report, console: Console) -> list[str] | None:
    """Return a sparkline per row; None without history or if the terminal cannot show the characters."""
    if report.history_of is None or console.options.ascii_only:
        return None
    return [sparkline(report.history_of(row.key)) for row in rows_with_numbers(report)]


def fits(console: Console, table: Table) -> bool:
    """Return whether a table fits into the terminal without wrapping cells of its `no_wrap` columns.

    Sets the minimum width of these columns, as rich would truncate them otherwise.
    """
    for column in table.columns:
        if column.no_wrap:
            column.min_width = max(console.measure(cell).maximum for cell in (column.header, *column.cells))
    unlimited = console.options.update(width=PIPED_WIDTH)
    return Measurement.get(console, unlimited, table).minimum <= console.width


def wide_table(rows: Sequence[Row], sparklines: Sequence[str] | None = None) -> Table:
    """Return a table with all columns and one line per series."""
    columns = columns_of(rows)
    table = _one_line_table((columns[0], HISTORY, *columns[1:]) if sparklines else columns)
    for row, sparkline_text in zip_longest(rows, sparklines or ()):
        zone, *texts = map(escape_unprintable, column_texts(row)[: len(columns)])
        history = [Text(sparkline_text)] if sparkline_text else []
        table.add_row(Text(zone, STYLES[row.zone]), *history, *map(Text, texts))
    return table


def compact_table(rows: Sequence[Row], sparklines: Sequence[str]) -> Table:
    """Return a table with the most important columns, for a terminal of about 160 characters.

    Long usages wrap; all other cells are on one line. Regions are shown without their account if all series
    are in the same account.
    """
    has_forecasts = columns_of(rows) != COLUMNS
    table = _one_line_table((*COMPACT_COLUMNS, FORECAST_COLUMN) if has_forecasts else COMPACT_COLUMNS, gap=1)
    usage_column = table.columns[COMPACT_COLUMNS.index(USAGE_OF_LIMIT)]
    usage_column.no_wrap, usage_column.min_width = False, MIN_USAGE_WIDTH
    single_account = len({row.key.account for row in rows}) == 1
    for row, sparkline_text in zip(rows, sparklines, strict=True):
        key = row.key
        values = (
            f"{row.throttled:.3g}/s" if row.throttled else "",
            format_percent(row.utilization),
            usage_of_limit(row.unit, row.usage, row.upper_bound, row.limit, row.bounded),
            f"{key.service}.{key.signal}",
            key.display_name,
            key.region if single_account else f"{key.account}/{key.region}",
            *([forecast_text(row) or "-"] if has_forecasts else []),
        )
        table.add_row(
            Text(row.zone.word, STYLES[row.zone]),
            Text(sparkline_text),
            *map(Text, map(escape_unprintable, values)),
        )
    return table


def _one_line_table(columns: Sequence[str], gap: int = 2) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, gap - 1, 0, 1), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in NUMERIC_COLUMNS else "left", no_wrap=True)
    return table


def narrow_table(rows: Sequence[Row], sparklines: Sequence[str] | None) -> Table:
    """Return a table with three or more lines per series, for a terminal that is too narrow for one line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(width=LENGTH if sparklines else len("unobservable"), overflow="fold")
    table.add_column(overflow="fold")
    for row, sparkline_text in zip_longest(rows, sparklines or ()):
        zone, ratio, usage, limit, source, signal, resource, location, sampled, forecast = map(
            escape_unprintable, column_texts(row)
        )
        lines = (
            f"{resource}: {ratio}, {usage} of {limit}",
            f"{signal} in {location}",
            f"limit source {source}, sampled {sampled}",
            *([forecast] if forecast != "-" else []),
        )
        table.add_row(
            Text.assemble((zone, STYLES[row.zone]), "\n", sparkline_text or ""), Text("\n".join(lines))
        )
    return table
