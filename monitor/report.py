"""What `headroom check` prints: the rows as a table for the terminal, JSON, CSV or Markdown."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.fleet import Key
from monitor.rows import Row
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
WIDE = 250  # characters of a table that is piped
COLUMNS = ("zone", "utilization", "usage", "limit", "source", "signal", "resource", "where", "sampled")


@dataclass(frozen=True, slots=True)
class Report:
    """One full read: all rows, the most urgent first, and what AWS refused, a sentence each."""

    rows: Sequence[Row]
    failures: Sequence[str]


FIELDS = (
    "zone",
    *Key._fields,
    "usage",
    "at_most",
    "limit",
    "unit",
    "utilization",
    "refused_per_second",
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
        "refused_per_second": row.refused,
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
    return f"{row.usage:.4g} to {amount(row.at_most, row.unit)}"


def judged(report: Report) -> list[Row]:
    return [row for row in report.rows if not hidden(row)]


def hidden(row: Row) -> bool:
    """Whether nothing can be shown of the row but why it cannot be seen."""
    return row.unobservable is not None and row.usage is None


def reasons(report: Report) -> dict[tuple[str, str], list[Row]]:
    """The rows of which nothing can be seen, by the reason and the command that enables it."""
    by_reason: dict[tuple[str, str], list[Row]] = {}
    for row in filter(hidden, report.rows):
        reason = row.unobservable
        if reason:
            by_reason.setdefault((reason.reason, reason.enable or ""), []).append(row)
    return by_reason


def as_table(report: Report, out: TextIO) -> None:
    """For a terminal: the series, then what could not be observed and why."""
    console = Console(file=out, highlight=False, soft_wrap=True, width=None if out.isatty() else WIDE)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in ("utilization", "usage", "limit") else "left")
    for row in judged(report):
        zone, *rest = map(printable, cells(row))
        table.add_row(f"[{STYLES[row.zone]}]{zone}[/]", *rest)
    console.print(table)
    blind = reasons(report)
    if blind:
        console.print("\n[bold]Could not be observed[/]")
    for (reason, enable), rows in blind.items():
        names = ", ".join(f"{row.key.service}.{row.key.signal} of {row.key.resource}" for row in rows)
        console.print(printable(f"- {names}: {reason}"))
        if enable:
            console.print(printable(f"    {enable}"))
    if report.failures:
        console.print("\n[bold]AWS refused or failed[/]")
    for sentence in report.failures:
        console.print(printable(f"- {sentence}"))


def printable(text: str) -> str:
    """Text that cannot disturb a terminal or rich's markup: control characters of a resource name escaped."""
    return escape("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


def as_json(report: Report, out: TextIO) -> None:
    """One document: `series` with every field, `failures`."""
    document = {"series": [record(row) for row in report.rows], "failures": report.failures}
    out.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def as_csv(report: Report, out: TextIO) -> None:
    """One line a series, the fields of `record`."""
    writer = csv.DictWriter(out, list(FIELDS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(record(row) for row in report.rows)


def as_markdown(report: Report, out: TextIO) -> None:
    """A table and two lists, for an issue or a chat."""
    ruler = ["---:" if column in ("utilization", "usage", "limit") else "---" for column in COLUMNS]
    rows = [COLUMNS, ruler, *map(cells, judged(report))]
    out.writelines(f"| {' | '.join(_in_markdown(cell) for cell in row)} |\n" for row in rows)
    for (reason, enable), blind in reasons(report).items():
        names = ", ".join(_in_markdown(f"{row.key.signal} of {row.key.resource}") for row in blind)
        out.write(
            f"\n- Not observable: {names}: {_in_markdown(reason)}" + (f": `{enable}`" if enable else "")
        )
    out.writelines(f"\n- Failed: {_in_markdown(sentence)}" for sentence in report.failures)


def _in_markdown(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")


FORMATS = {"table": as_table, "json": as_json, "csv": as_csv, "markdown": as_markdown}
