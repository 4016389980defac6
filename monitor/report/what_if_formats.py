"""The output of `headroom what-if`: tables and commands for the terminal, and JSON.

Answers are those of /api/v1/what-if.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.fleet.key import WHOLE_ACCOUNT
from monitor.lib.text import escape_unprintable
from monitor.report.terminal import PIPED_WIDTH

COLUMNS = ("breaks at", "series", "limit is", "would use", "by", "to make room")
COMPACT_COLUMNS = ("breaks at", "series", "would use", "to make room")
MIN_WIDTH = 160  # characters of a terminal from which on it has all columns
MAX_REASONS = 8  # of series that are not known, or whose traffic nothing carries
MAX_NAMES = 4  # of such series with one reason

AnswerJson = Mapping[str, Any]
StressedJson = Mapping[str, Any]


def column_texts(one: StressedJson) -> tuple[str, ...]:
    """Return a series as tables show it, in the order of COLUMNS."""
    named = f"{one['service']}.{one['signal']} {one['resource'] or WHOLE_ACCOUNT}"
    words = one["words"]
    return (
        words["breaks_at"],
        f"{named}, {one['account']}/{one['region']}",
        one["kind"],
        words["would_use"],
        words["basis"],
        words["to_make_room"],
    )


def footer(answer: AnswerJson) -> Iterator[str]:
    """Yield the summary, what to ask for, the commands, and what is not known."""
    yield answer["summary"]
    yield from answer["notes"]
    yield from _requests(answer)
    yield from _commands(answer["items"])
    yield from _not_answered(answer["left"], answer["left_total"], "Not carried")
    yield from _not_answered(answer["unknown"], answer["unknown_total"], "Not known")


def _requests(answer: AnswerJson) -> Iterator[str]:
    """Yield the quotas to ask for, each with its command."""
    for one in answer["requests"]:
        yield one["summary"]
        if one["command"] and not one["pending_is_enough"]:
            yield f"  {one['command']}"
    if hidden := answer["requests_total"] - len(answer["requests"]):
        yield f"{hidden:,} more quotas to ask for are not shown: choose series by --match"


def _commands(items: Sequence[StressedJson]) -> Iterator[str]:
    """Yield the commands that raise what was bought or set."""
    remedies = [one["remedy"] for one in items if one["remedy"]]
    commands = [one["command"] for one in remedies if one["action"] != "request" and one["command"]]
    if commands:
        yield "Change yourself:"
        yield from (f"  {command}" for command in dict.fromkeys(commands))


def _not_answered(series: Sequence[Mapping[str, Any]], total: int, title: str) -> Iterator[str]:
    """Yield a line for each reason, with the names of some series."""
    if not total:
        return
    reasons = Counter(one["reason"] for one in series)
    for reason, number in reasons.most_common(MAX_REASONS):
        names = [
            f"{one['service']}.{one['signal']} of {one['resource'] or WHOLE_ACCOUNT} in {one['region']}"
            for one in series
            if one["reason"] == reason
        ]
        others = f" and {number - MAX_NAMES:,} more" if number > MAX_NAMES else ""
        yield f"{title}: {', '.join(names[:MAX_NAMES])}{others}: {reason}"
    if (more := total - sum(number for _, number in reasons.most_common(MAX_REASONS))) > 0:
        yield f"{title}: {more:,} more series; the format json lists the first hundred"


def write_table(answer: AnswerJson, out: TextIO) -> None:
    """Write an answer as text. Without a terminal, each series is one line."""
    console = Console(file=out, highlight=False, soft_wrap=True, width=None if out.isatty() else PIPED_WIDTH)
    columns = COLUMNS if console.width >= MIN_WIDTH else COMPACT_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column == COLUMNS[0] else "left")
    for one in answer["items"]:
        texts = dict(zip(COLUMNS, map(escape_unprintable, column_texts(one)), strict=True))
        table.add_row(
            *(Text(texts[column]) for column in columns), style="bold" if one["is_broken"] else "dim"
        )
    if answer["items"]:
        console.print(table)
    for line in footer(answer):
        console.print(Text(escape_unprintable(line)))


def write_json(answer: AnswerJson, out: TextIO) -> None:
    """Write the document as the API returns it."""
    out.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() + "\n")


FORMATS: Mapping[str, Callable[[AnswerJson, TextIO], None]] = {"table": write_table, "json": write_json}
