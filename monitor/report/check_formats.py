"""The output formats of `headroom check`: a table for the terminal, JSON, CSV and Markdown."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple, TextIO

import orjson
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from collectors.service_quotas.call_budget import CALLS_PER_HOUR
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import LABELS, Key
from monitor.fleet.rows import Row
from monitor.lib.percent import format_percent
from monitor.lib.text import escape_unprintable
from monitor.render.markdown import code_span, escape_markdown
from monitor.render.sparkline import LEGEND, LENGTH, sparkline
from monitor.render.styles import STYLES
from monitor.render.text import count_of, usage_of_limit
from monitor.report.blind_spots import has_no_numbers, unobservable_by_reason

PIPED_WIDTH = 2**20  # characters, more than any line has: without a terminal, no line is wrapped
FORMULA_PREFIXES = ("=", "+", "-", "@")  # a spreadsheet evaluates cells that start with one
HISTORY, USAGE_OF_LIMIT = "three hours", "usage of limit"
NUMERIC_COLUMNS = ("utilization", "usage", "limit", "throttled")
COLUMNS = ("zone", "utilization", "usage", "limit", "source", "signal", "resource", "location", "sampled")
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
MAX_FAILED_READS = 100  # that are listed for people; where nothing is permitted, hundreds fail in each region
NO_SERIES = "No series found for the configured accounts, regions and services, and the given filters."


class UnreadQuotas(NamedTuple):
    """The counts and lists that a scan left out, as its calls for quotas are limited.

    counts: quotas of which the resources were not counted. lists: lists of the quotas of a service in an
    account and region.
    """

    counts: int = 0
    lists: int = 0

    @property
    def sentence(self) -> str:
        """A sentence on what was left out, and how it is read; empty if nothing was."""
        parts = [count_of(self.counts, "count")] if self.counts else []
        parts += [count_of(self.lists, "list") + " of quotas"] if self.lists else []
        if not parts:
            return ""
        were = "was" if sum(self) == 1 else "were"
        limit = f"at most {CALLS_PER_HOUR:,} calls in each account and region"
        return f"{' and '.join(parts)} of services in use {were} not read; --counts reads them, with {limit}."


NOTHING_UNREAD = UnreadQuotas()


@dataclass(frozen=True, slots=True)
class Report:
    """The rows of all series, the most urgent first, and one sentence for each failed read of AWS.

    history_of: returns the last three hours of a series; None when no history is available.
    requested_failures: the failures of what the user requested, which make the report incomplete.
    unread_quotas: what was left out, as the number of calls for quotas is limited.
    """

    rows: Sequence[Row]
    failures: Sequence[str]
    history_of: Callable[[Key], SeriesHistory] | None = None
    requested_failures: Sequence[str] = ()
    unread_quotas: UnreadQuotas = NOTHING_UNREAD


FIELDS = (
    "zone",
    *LABELS,
    "resource_id",
    "usage",
    "upper_bound",
    "limit",
    "unit",
    "utilization",
    "saturation",
    "source",
    "sampled_at",
    "unobservable",
    "enable",
)


def record(row: Row) -> dict[str, object]:
    """Return a row as JSON and CSV contain it: unrounded numbers, the utilization as a ratio."""
    reason = row.unobservable
    return {
        "zone": row.zone.word,
        "resource_id": row.key.subject.id,
        **row.key.labels,
        "usage": row.usage,
        "upper_bound": row.upper_bound,
        "limit": row.limit,
        "unit": row.unit.name,
        "utilization": row.utilization,
        "saturation": row.throttled,
        "source": row.source and row.source.value,
        "sampled_at": row.sampled_at or None,
        "unobservable": reason and reason.reason,
        "enable": reason and reason.enable_command,
    }


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as tables show it, in the order of COLUMNS."""
    key = row.key
    return (
        row.zone.word + (f" ({row.throttled:.3g}/s throttled)" if row.throttled else ""),
        format_percent(row.utilization),
        usage_text(row),
        "-" if row.limit is None else row.unit.format(row.limit),
        row.source.value if row.source else "-",
        f"{key.service}.{key.signal}",
        key.shown,
        f"{key.account}/{key.region}",
        row.sampled_at.removesuffix(":00Z").replace("T", " ") or "never",
    )


def usage_text(row: Row) -> str:
    """Return the usage, or the range that it lies in."""
    return row.unit.format_range(row.usage, row.upper_bound, row.bounded)


def observable_rows(report: Report) -> list[Row]:
    """Return the rows that have something to show beside the reason why they are unobservable."""
    return [row for row in report.rows if not has_no_numbers(row)]


def unobservable_entries(report: Report) -> Iterator[tuple[str, str, str]]:
    """Yield names of unobservable series, their common reason, and the command that enables them or ""."""
    for group in unobservable_by_reason(report.rows):
        for command, keys in group.keys_by_command.items():
            names = (f"{key.service}.{key.signal} of {key.shown}" for key in keys)
            yield ", ".join(names), group.reason, command


def listed_failures(report: Report) -> Iterator[str]:
    """Yield a sentence for each failed read, and one that counts those beyond MAX_FAILED_READS."""
    failures = [*dict.fromkeys(report.failures)]
    yield from failures[:MAX_FAILED_READS]
    if (more := len(failures) - MAX_FAILED_READS) > 0:
        yield f"{more:,} more failed; `--format json` lists all"


def write_table(report: Report, out: TextIO) -> None:
    """Write the series, and what could not be read, as text. Without a terminal, each series is one line."""
    terminal = out.isatty()
    console = Console(file=out, highlight=False, soft_wrap=True, width=None if terminal else PIPED_WIDTH)
    rows, sparklines = observable_rows(report), row_sparklines(report, console) if terminal else None
    plain = wide_table(rows)
    candidates = (
        [wide_table(rows, sparklines), plain, compact_table(rows, sparklines)] if sparklines else [plain]
    )
    table = next((table for table in candidates if fits(console, table)), None)
    table = table or narrow_table(rows, sparklines)
    console.print(table)
    if sparklines and table is not plain:
        console.print(Text(LEGEND, "dim"))
    if not report.rows:
        console.print(NO_SERIES)
    _write_lists(report, console)


def _write_lists(report: Report, console: Console) -> None:
    unobservable = []
    for names, reason, command in unobservable_entries(report):
        unobservable += [f"- {names}: {reason}", *([f"    {command}"] if command else [])]
    failed = [f"- {sentence}" for sentence in listed_failures(report)]
    for title, lines in {"Unobservable series": unobservable, "Failed reads of AWS": failed}.items():
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
    return [sparkline(report.history_of(row.key)) for row in observable_rows(report)]


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
    table = _one_line_table((COLUMNS[0], HISTORY, *COLUMNS[1:]) if sparklines else COLUMNS)
    for row, blocks in zip_longest(rows, sparklines or ()):
        zone, *rest = map(escape_unprintable, cells(row))
        line = [Text(blocks)] if blocks else []
        table.add_row(Text(zone, STYLES[row.zone]), *line, *map(Text, rest))
    return table


def compact_table(rows: Sequence[Row], sparklines: Sequence[str]) -> Table:
    """Return a table with the most important columns, for a terminal of about 160 characters.

    Long usages wrap; all other cells are on one line. Regions are shown without their account when all are
    in the same account.
    """
    table = _one_line_table(COMPACT_COLUMNS, gap=1)
    usage = table.columns[COMPACT_COLUMNS.index(USAGE_OF_LIMIT)]
    usage.no_wrap, usage.min_width = False, MIN_USAGE_WIDTH
    single_account = len({row.key.account for row in rows}) == 1
    for row, blocks in zip(rows, sparklines, strict=True):
        key = row.key
        values = (
            f"{row.throttled:.3g}/s" if row.throttled else "",
            format_percent(row.utilization),
            usage_of_limit(row.unit, row.usage, row.upper_bound, row.limit, row.bounded),
            f"{key.service}.{key.signal}",
            key.shown,
            key.region if single_account else f"{key.account}/{key.region}",
        )
        table.add_row(
            Text(row.zone.word, STYLES[row.zone]),
            Text(blocks),
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
    for row, blocks in zip_longest(rows, sparklines or ()):
        zone, ratio, usage, limit, source, signal, resource, location, sampled = map(
            escape_unprintable, cells(row)
        )
        lines = (
            f"{resource}: {ratio}, {usage} of {limit}",
            f"{signal} in {location}",
            f"limit source {source}, sampled {sampled}",
        )
        table.add_row(Text.assemble((zone, STYLES[row.zone]), "\n", blocks or ""), Text("\n".join(lines)))
    return table


def write_json(report: Report, out: TextIO) -> None:
    """Write one document with `series`, every field of each, `failures` and `unread_quotas`."""
    document = {
        "series": [record(row) for row in report.rows],
        "failures": report.failures,
        "unread_quotas": report.unread_quotas._asdict(),
    }
    out.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def write_csv(report: Report, out: TextIO) -> None:
    """Write one record per series. An apostrophe precedes what a spreadsheet would evaluate."""
    writer = csv.DictWriter(out, list(FIELDS), lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        writer.writerow({name: spreadsheet_cell(value) for name, value in record(row).items()})


def spreadsheet_cell(value: object) -> object:
    """Return a value as CSV contains it: an apostrophe precedes what a spreadsheet would evaluate."""
    if not isinstance(value, str):
        return value
    return ("'" if value.startswith(FORMULA_PREFIXES) else "") + escape_unprintable(value)


def write_markdown(report: Report, out: TextIO) -> None:
    """Write a table, and a list of what could not be read, for an issue or a chat."""
    ruler = ["---:" if column in NUMERIC_COLUMNS else "---" for column in COLUMNS]
    rows = [COLUMNS, ruler, *map(cells, observable_rows(report))]
    out.writelines(f"| {' | '.join(map(escape_markdown, row))} |\n" for row in rows)
    items = [
        f"Unobservable: {escape_markdown(f'{names}: {reason}')}"
        + (f": {code_span(command)}" if command else "")
        for names, reason, command in unobservable_entries(report)
    ]
    items += [f"Failed read: {escape_markdown(sentence)}" for sentence in listed_failures(report)]
    items += [escape_markdown(report.unread_quotas.sentence)] if report.unread_quotas.sentence else []
    out.write("\n" if items else "")
    out.writelines(f"- {line}\n" for line in items)


FORMATS = {"table": write_table, "json": write_json, "csv": write_csv, "markdown": write_markdown}
