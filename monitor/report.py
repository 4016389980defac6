"""What `headroom check` prints: the rows as a table for the terminal, JSON, CSV or Markdown."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TextIO

import orjson
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from monitor.course import Course
from monitor.fleet import Key
from monitor.rows import Row
from monitor.sparkline import LEGEND, LENGTH, sparkline
from monitor.units import amount, percent
from rules.band import Zone

STYLES = {
    Zone.SATURATED: "bold white on red",
    Zone.CRITICAL: "bold red",
    Zone.ABOVE: "yellow",
    Zone.WITHIN: "green",
    Zone.BELOW: "cyan",
    Zone.STALE: "dim",
    Zone.UNOBSERVABLE: "dim",
}
UNBOUNDED = 2**20  # characters of a line that is piped
FORMULA = ("=", "+", "-", "@")  # how a cell starts that a spreadsheet would evaluate
MARKUP = re.compile(r"[\\`*\[\]<>|~&]|(?<![^\W_])_|_(?![^\W_])")  # in Markdown; an inner `_` is none
NUMBERS = ("utilization", "usage", "limit")
COLUMNS = ("zone", "utilization", "usage", "limit", "source", "signal", "resource", "where", "sampled")


@dataclass(frozen=True, slots=True)
class Report:
    """All rows, the most urgent first, and what AWS refused, a sentence each.

    course: the last three hours of a series, if they are at hand.
    """

    rows: Sequence[Row]
    failures: Sequence[str]
    course: Callable[[Key], Course] | None = None


FIELDS = (
    "zone",
    *Key._fields,
    "usage",
    "at_most",
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
    """A row as JSON and CSV give it: numbers unrounded, utilization a ratio."""
    reason = row.unobservable
    return {
        "zone": row.zone.word,
        **row.key._asdict(),
        "usage": row.usage,
        "at_most": row.at_most,
        "limit": row.limit,
        "unit": row.unit,
        "utilization": row.utilization,
        "saturation": row.refused,
        "source": row.source and row.source.value,
        "sampled_at": row.sampled_at or None,
        "unobservable": reason and reason.reason,
        "enable": reason and reason.enable,
    }


def cells(row: Row) -> tuple[str, ...]:
    """A row as tables show it, in the order of COLUMNS."""
    account, region, service, signal, resource = row.key
    return (
        row.zone.word + (f" ({row.refused:.3g}/s refused)" if row.refused else ""),
        percent(row.utilization),
        used(row),
        "-" if row.limit is None else amount(row.limit, row.unit),
        row.source.value if row.source else "-",
        f"{service}.{signal}",
        resource,
        f"{account}/{region}",
        row.sampled_at.removesuffix(":00Z").replace("T", " ") or "never",
    )


def used(row: Row) -> str:
    """The usage; a range where it is only bounded."""
    if row.usage is None:
        return "-"
    if row.at_most is None:
        return amount(row.usage, row.unit)
    return f"{amount(row.usage, row.unit)} to {amount(row.at_most, row.unit)}"


def judged(report: Report) -> list[Row]:
    return [row for row in report.rows if not hidden(row)]


def hidden(row: Row) -> bool:
    """Whether nothing can be shown of the row but why it cannot be seen."""
    return row.unobservable is not None and row.usage is None


def blind(report: Report) -> Iterator[tuple[str, str, str]]:
    """What cannot be seen: the series of one reason, the reason, and the command that enables them if any."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for row in filter(hidden, report.rows):
        if why := row.unobservable:
            name = f"{row.key.service}.{row.key.signal} of {row.key.resource}"
            by_reason.setdefault((why.reason, why.enable or ""), []).append(name)
    for (reason, enable), names in by_reason.items():
        yield ", ".join(names), reason, enable


def as_table(report: Report, out: TextIO) -> None:
    """For a terminal: the series, then what could not be observed and why. Piped, a series is one line."""
    console = Console(file=out, highlight=False, soft_wrap=True, width=None if out.isatty() else UNBOUNDED)
    rows, hours = judged(report), drawn(report, console) if out.isatty() else None
    full = wide(rows, hours)
    plain = wide(rows) if hours else full
    table = next((one for one in (full, plain) if fits(console, one)), None) or narrow(rows, hours)
    console.print(table)
    if hours and table is not plain:
        console.print(Text(LEGEND, "dim"))
    if not report.rows:
        console.print("There is nothing to watch, or nothing of what was asked for.")
    unseen = []
    for names, reason, enable in blind(report):
        unseen += [f"- {names}: {reason}", *([f"    {enable}"] if enable else [])]
    failed = [f"- {sentence}" for sentence in report.failures]
    for title, lines in {"Could not be observed": unseen, "AWS refused or failed": failed}.items():
        if lines:
            console.print(Text(f"\n{title}", "bold"))
        for line in lines:
            console.print(Text(printable(line)))


def drawn(report: Report, console: Console) -> list[str] | None:
    """A sparkline a row, where the hours are at hand and the terminal has the characters."""
    if report.course is None or console.options.ascii_only:
        return None
    return [sparkline(report.course(row.key)) for row in judged(report)]


def fits(console: Console, table: Table) -> bool:
    boundless = console.options.update(width=UNBOUNDED)
    return Measurement.get(console, boundless, table).maximum <= console.width


def wide(rows: Sequence[Row], hours: Sequence[str] | None = None) -> Table:
    """A line a series. hours: a sparkline each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = (COLUMNS[0], "three hours", *COLUMNS[1:]) if hours else COLUMNS
    for column in columns:
        table.add_column(column, justify="right" if column in NUMBERS else "left", no_wrap=True)
    for row, line in zip_longest(rows, hours or ()):
        zone, *rest = map(printable, cells(row))
        table.add_row(Text(zone, STYLES[row.zone]), *([Text(line)] if line else []), *map(Text, rest))
    return table


def narrow(rows: Sequence[Row], hours: Sequence[str] | None) -> Table:
    """Three lines a series, or more, for a terminal that is too narrow for one."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(width=LENGTH if hours else len("unobservable"), overflow="fold")
    table.add_column(overflow="fold")
    for row, line in zip_longest(rows, hours or ()):
        zone, ratio, usage, limit, source, signal, resource, where, sampled = map(printable, cells(row))
        said = (
            f"{resource}: {ratio}, {usage} of {limit}",
            f"{signal} in {where}",
            f"limit {source}, at {sampled}",
        )
        table.add_row(Text.assemble((zone, STYLES[row.zone]), "\n", line or ""), Text("\n".join(said)))
    return table


def printable(text: str) -> str:
    """Text on one line that cannot disturb a terminal: what is not printable in a name is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def as_json(report: Report, out: TextIO) -> None:
    """One document: `series` with every field, `failures`."""
    document = {"series": [record(row) for row in report.rows], "failures": report.failures}
    out.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def as_csv(report: Report, out: TextIO) -> None:
    """One line a series, the fields of `record`; what a spreadsheet would take for a formula gets a `'`."""
    writer = csv.DictWriter(out, list(FIELDS), lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        writer.writerow({name: _in_spreadsheet(told) for name, told in record(row).items()})


def _in_spreadsheet(told: object) -> object:
    if not isinstance(told, str):
        return told
    return ("'" if told.startswith(FORMULA) else "") + printable(told)


def as_markdown(report: Report, out: TextIO) -> None:
    """A table and a list, for an issue or a chat."""
    ruler = ["---:" if column in NUMBERS else "---" for column in COLUMNS]
    rows = [COLUMNS, ruler, *map(cells, judged(report))]
    out.writelines(f"| {' | '.join(map(in_markdown, row))} |\n" for row in rows)
    told = [
        f"Not observable: {in_markdown(f'{names}: {reason}')}" + (f": {as_code(enable)}" if enable else "")
        for names, reason, enable in blind(report)
    ]
    told += [f"Failed: {in_markdown(sentence)}" for sentence in report.failures]
    out.write("\n" if told else "")
    out.writelines(f"- {line}\n" for line in told)


def in_markdown(text: str) -> str:
    """Text as Markdown shows it, on one line; in a cell of a table, too."""
    return MARKUP.sub(r"\\\g<0>", printable(text))


def as_code(text: str) -> str:
    """Text as Markdown's code, whatever backticks are in it."""
    runs = re.findall("`+", text)
    fence = "`" * (1 + len(max(runs, default="")))
    return fence + (f" {printable(text)} " if runs else printable(text)) + fence


FORMATS = {"table": as_table, "json": as_json, "csv": as_csv, "markdown": as_markdown}
