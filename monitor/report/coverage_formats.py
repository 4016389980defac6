"""The output formats of `headroom coverage`: a table for the terminal, JSON, CSV and Markdown.

The quotas are JSON objects as /api/v1/coverage returns them.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import orjson
from rich.text import Text

from monitor.lib.text import escape_unprintable
from monitor.render.markdown import escape_markdown
from monitor.render.spreadsheet import spreadsheet_cell
from monitor.report.terminal import console_of, print_table
from rules.plurals import count_of

COLUMNS = ("state", "quota", "value", "where", "reason", "enable", "$/month")
NUMERIC_COLUMNS = ("value", "$/month")
FIELDS = (
    "state",
    "account",
    "region",
    "service_code",
    "code",
    "name",
    "value",
    "source",
    "adjustable",
    "signals",
    "reason",
    "enable",
    "monthly_dollars",
    "note",
    "cost_note",
)

MAX_UNREAD = 20  # the maximum number of sentences about failed reads in formats for people

CoverageJson = Mapping[str, Any]


def column_texts(quota: CoverageJson) -> tuple[str, ...]:
    """Return a quota as tables show it, in the order of COLUMNS."""
    value = quota["value"]
    return (
        quota["state"].replace("_", " "),
        f"{quota['service_code']} {quota['code']} {quota['name']}",
        "-" if value is None else f"{value:,.12g}",
        f"{quota['account']}/{quota['region']}",
        " ".join(filter(None, (quota["reason"] or quota["note"], quota["cost_note"]))),
        quota["enable"],
        cost_text(quota),
    )


def cost_text(quota: CoverageJson) -> str:
    """Return the monthly cost of watching a quota; `-` if it is impossible, words for an unknown cost."""
    amount = quota["monthly_dollars"]
    if amount is None:
        return "-" if quota["state"] == "no_usage_source" else "it depends"
    return f"{amount:.2f}" if amount else "0"


def summary(coverage: CoverageJson) -> str:
    """Return how many quotas there are, how many in each state, and what watching them costs."""
    if not coverage["total"]:
        return "No quota of a service in use is known."
    states = (f"{number:,} {state.replace('_', ' ')}" for state, number in coverage["states"].items())
    unknown = coverage["unknown_costs"]
    exception = f", without the {unknown:,} whose cost depends on settings or resources" if unknown else ""
    dollars = f"watching them costs ${coverage['monthly_dollars']:,.2f} a month{exception}"
    return f"{count_of(coverage['total'], 'quota')}: {', '.join(states)}; {dollars}"


def footer(coverage: CoverageJson) -> Iterator[str]:
    """Yield the summary, and sentences about failed reads."""
    yield summary(coverage)
    unread = coverage["unread"]
    yield from (f"Not read: {sentence}" for sentence in unread[:MAX_UNREAD])
    if (more := len(unread) - MAX_UNREAD) > 0:
        yield f"Not read: {more:,} more; the format json lists all"


def write_table(coverage: CoverageJson, out: TextIO) -> None:
    """Write a table of quotas, then the footer. Without a terminal, each quota is one line."""
    console = console_of(out)
    if coverage["items"]:
        rows = [
            [Text(escape_unprintable(cell)) for cell in column_texts(quota)] for quota in coverage["items"]
        ]
        print_table(console, COLUMNS, rows, NUMERIC_COLUMNS)
    for line in footer(coverage):
        console.print(Text(escape_unprintable(line)))


def write_json(coverage: CoverageJson, out: TextIO) -> None:
    """Write the document as the API returns it."""
    out.write(orjson.dumps(coverage, option=orjson.OPT_INDENT_2).decode() + "\n")


def write_csv(coverage: CoverageJson, out: TextIO) -> None:
    """Write one record per quota. An apostrophe precedes text that a spreadsheet would evaluate."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    for quota in coverage["items"]:
        record = {**quota, "signals": " ".join(quota["signals"])}
        writer.writerow([spreadsheet_cell(record[name]) for name in FIELDS])


def write_markdown(coverage: CoverageJson, out: TextIO) -> None:
    """Write a table of quotas, then the footer, for an issue or a chat."""
    ruler = ["---:" if column in NUMERIC_COLUMNS else "---" for column in COLUMNS]
    rows: list[Sequence[str]] = [COLUMNS, ruler, *map(column_texts, coverage["items"])]
    out.writelines(f"| {' | '.join(map(escape_markdown, row))} |\n" for row in rows)
    out.writelines(f"\n{escape_markdown(line)}\n" for line in footer(coverage))


FORMATS: Mapping[str, Callable[[CoverageJson, TextIO], None]] = {
    "table": write_table,
    "json": write_json,
    "csv": write_csv,
    "markdown": write_markdown,
}
