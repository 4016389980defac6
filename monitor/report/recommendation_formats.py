"""The output formats of `headroom recommend`: a table for the terminal, and JSON.

Recommendations are those of /api/v1/recommendations.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.lib.percent import format_percent
from monitor.lib.text import escape_unprintable
from monitor.report.terminal import PIPED_WIDTH

COLUMNS = ("resource", "where", "advice", "peak", "$/month", "why")
NUMERIC_COLUMNS = ("peak", "$/month")

RecommendationsJson = Mapping[str, Any]


def column_texts(one: RecommendationsJson) -> tuple[str, ...]:
    """Return a recommendation as the table shows it, in the order of COLUMNS."""
    is_known = one["advice"] != "unknown"
    return (
        f"{one['service']} {one['resource']}",
        f"{one['account']}/{one['region']}",
        one["change"] if is_known else f"not enough data ({one['change']})",
        "-" if one["peak_utilization"] is None else format_percent(one["peak_utilization"]),
        _money(one),
        " ".join(filter(None, (one["signal"], one["reason"] and f"({one['reason']})"))),
    )


def _money(one: RecommendationsJson) -> str:
    if one["advice"] not in ("raise", "lower"):
        return "-"
    amount = one["monthly_dollars"]
    return "not known" if amount is None else f"{amount:+,.2f}"


def summary(found: RecommendationsJson) -> Iterator[str]:
    """Yield the numbers of recommendations, what they save and what they cost, in sentences."""
    if not found["total"]:
        yield "Nothing to recommend."
        return
    counts = ", ".join(f"{advice} {number:,}" for advice, number in found["counts"].items() if number)
    yield f"{found['total']:,} purchases: {counts}"
    unknown = found["unknown_prices"]
    more = f"; the price of {unknown:,} is not known" if unknown else ""
    saved, needed = found["saved_monthly_dollars"], found["needed_monthly_dollars"]
    yield f"Saved: ${saved:,.2f} a month; needed: ${needed:,.2f} a month, by list price{more}"


def write_table(found: RecommendationsJson, out: TextIO) -> None:
    """Write the recommendations, their commands, and the sums as text."""
    console = Console(file=out, highlight=False, soft_wrap=True, width=None if out.isatty() else PIPED_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, overflow="fold", justify="right" if column in NUMERIC_COLUMNS else "left")
    for one in found["items"]:
        table.add_row(*(Text(escape_unprintable(cell)) for cell in column_texts(one)))
    if found["items"]:
        console.print(table)
    for command in filter(None, (one["command"] for one in found["items"])):
        console.print(Text(escape_unprintable(command)))
    for line in summary(found):
        console.print(Text(escape_unprintable(line)))


def write_json(found: RecommendationsJson, out: TextIO) -> None:
    """Write the document as the API returns it."""
    out.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")


FORMATS: Mapping[str, Callable[[RecommendationsJson, TextIO], None]] = {
    "table": write_table,
    "json": write_json,
}
