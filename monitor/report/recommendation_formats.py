"""The output formats of `headroom recommend`: a table for the terminal, and JSON.

The recommendations are JSON objects as /api/v1/recommendations returns them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

import orjson
from rich.text import Text

from monitor.lib.percent import format_percent
from monitor.lib.text import escape_unprintable
from monitor.report.terminal import console_of, print_table
from rules.plurals import agreeing, count_of

COLUMNS = ("resource", "where", "advice", "peak", "$/month", "why")
NUMERIC_COLUMNS = ("peak", "$/month")

RecommendationsJson = Mapping[str, Any]


def column_texts(recommendation: RecommendationsJson) -> tuple[str, ...]:
    """Return the texts of a recommendation's row in the table, in the order of COLUMNS."""
    is_known = recommendation["advice"] != "unknown"
    peak, reason = recommendation["peak_utilization"], recommendation["reason"]
    return (
        f"{recommendation['service']} {recommendation['resource']}",
        f"{recommendation['account']}/{recommendation['region']}",
        recommendation["change"] if is_known else f"not enough data ({recommendation['change']})",
        "-" if peak is None else format_percent(peak),
        _money(recommendation),
        " ".join(filter(None, (recommendation["signal"], f"({reason})" if reason else ""))),
    )


def _money(recommendation: RecommendationsJson) -> str:
    if recommendation["advice"] not in ("raise", "lower"):
        return "-"
    if recommendation["is_maximum"]:
        return "as used"
    amount = recommendation["monthly_dollars"]
    return "not known" if amount is None else f"{amount:+,.2f}"


def unpriced_text(unknown_prices: int, maximum_changes: int) -> str:
    """Return the end of a sentence on money, about the changes that have no price in it.

    unknown_prices: how many have an unknown price. maximum_changes: how many change a configured maximum.
    """
    texts = [f"; the price of {unknown_prices:,} is not known"] if unknown_prices else []
    if maximum_changes:
        words = ("is a maximum, which costs nothing itself", "are maxima, which cost nothing themselves")
        texts.append(f"; {maximum_changes:,} {agreeing(maximum_changes, *words)}")
    return "".join(texts)


def summary(document: RecommendationsJson) -> Iterator[str]:
    """Yield sentences with the numbers of recommendations, and what they would save and cost."""
    if not document["total"]:
        yield "Nothing to recommend."
        return
    counts = ", ".join(f"{advice} {number:,}" for advice, number in document["counts"].items() if number)
    yield f"{count_of(document['total'], 'purchase')}: {counts}"
    unpriced = unpriced_text(document["unknown_prices"], document["maxima"])
    saved, needed = document["saved_monthly_dollars"], document["needed_monthly_dollars"]
    yield f"Saved: ${saved:,.2f} a month; needed: ${needed:,.2f} a month, by list price{unpriced}"


def write_table(document: RecommendationsJson, out: TextIO) -> None:
    """Write the recommendations, their commands and the totals as text."""
    console = console_of(out)
    if document["items"]:
        rows = [
            [Text(escape_unprintable(cell)) for cell in column_texts(recommendation)]
            for recommendation in document["items"]
        ]
        print_table(console, COLUMNS, rows, NUMERIC_COLUMNS)
    for command in filter(None, (recommendation["command"] for recommendation in document["items"])):
        console.print(Text(escape_unprintable(command)))
    for line in summary(document):
        console.print(Text(escape_unprintable(line)))


def write_json(document: RecommendationsJson, out: TextIO) -> None:
    """Write the document as the API returns it."""
    out.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


FORMATS: Mapping[str, Callable[[RecommendationsJson, TextIO], None]] = {
    "table": write_table,
    "json": write_json,
}
