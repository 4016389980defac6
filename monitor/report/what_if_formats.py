"""The output of `headroom what-if`: tables and commands for the terminal, and JSON.

An answer is a JSON object as /api/v1/what-if returns it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import orjson
from rich.text import Text

from monitor.fleet.key import WHOLE_ACCOUNT
from monitor.lib.text import escape_unprintable
from monitor.report.terminal import console_of, print_table
from rules.plurals import agreeing, count_of

COLUMNS = ("breaks at", "series", "limit is", "would use", "by", "to make room")
MAX_REASONS = 8  # how many reasons why series have no answer are shown
MAX_NAMES = 4  # how many series are named for each reason

AnswerJson = Mapping[str, Any]
StressedJson = Mapping[str, Any]


def column_texts(series: StressedJson) -> tuple[str, ...]:
    """Return a series as the table shows it, in the order of COLUMNS."""
    name = f"{series['service']}.{series['signal']} {series['resource'] or WHOLE_ACCOUNT}"
    words = series["words"]
    return (
        words["breaking_factor"],
        f"{name}, {series['account']}/{series['region']}",
        series["kind"],
        words["would_use"],
        words["basis"],
        words["to_make_room"],
    )


def footer(answer: AnswerJson) -> Iterator[str]:
    """Yield the lines below the table: summary, quota requests, commands, and series without an answer."""
    yield answer["summary"]
    yield from answer["notes"]
    yield from _requests(answer)
    yield from _commands(answer["items"])
    yield from _not_answered(answer["not_carried"], answer["not_carried_total"], "Not carried")
    yield from _not_answered(answer["unknown"], answer["unknown_total"], "Not known")


def _requests(answer: AnswerJson) -> Iterator[str]:
    """Yield the quotas to ask for, each with its command."""
    for request in answer["requests"]:
        yield request["summary"]
        if request["command"] and not request["pending_is_enough"]:
            yield f"  {request['command']}"
    if omitted := answer["requests_total"] - len(answer["requests"]):
        quotas = f"{count_of(omitted, 'more quota')} to ask for {agreeing(omitted, 'is', 'are')}"
        yield f"{quotas} not shown: choose series by --match"


def _commands(items: Sequence[StressedJson]) -> Iterator[str]:
    """Yield the commands that raise bought or configured limits."""
    remedies = [item["remedy"] for item in items if item["remedy"]]
    commands = [
        remedy["command"] for remedy in remedies if remedy["action"] != "request" and remedy["command"]
    ]
    if commands:
        yield "Change yourself:"
        yield from (f"  {command}" for command in dict.fromkeys(commands))


def _not_answered(series: Sequence[Mapping[str, Any]], total: int, title: str) -> Iterator[str]:
    """Yield a line for each reason why series have no answer, with the names of some of the series."""
    if not total:
        return
    reasons = Counter(item["reason"] for item in series)
    for reason, number in reasons.most_common(MAX_REASONS):
        names = [
            f"{item['service']}.{item['signal']} of {item['resource'] or WHOLE_ACCOUNT} in {item['region']}"
            for item in series
            if item["reason"] == reason
        ]
        more = f" and {number - MAX_NAMES:,} more" if number > MAX_NAMES else ""
        yield f"{title}: {', '.join(names[:MAX_NAMES])}{more}: {reason}"
    if (omitted := total - sum(number for _, number in reasons.most_common(MAX_REASONS))) > 0:
        yield f"{title}: {omitted:,} more series; the format json lists the first hundred"


def write_table(answer: AnswerJson, out: TextIO) -> None:
    """Write an answer as text. Without a terminal, each series is one line."""
    console = console_of(out)
    if answer["items"]:
        rows = [
            [
                Text(escape_unprintable(text), "bold" if item["is_broken"] else "dim")
                for text in column_texts(item)
            ]
            for item in answer["items"]
        ]
        print_table(console, COLUMNS, rows, COLUMNS[:1])
    for line in footer(answer):
        console.print(Text(escape_unprintable(line)))


def write_json(answer: AnswerJson, out: TextIO) -> None:
    """Write the document as the API returns it."""
    out.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() + "\n")


FORMATS: Mapping[str, Callable[[AnswerJson, TextIO], None]] = {"table": write_table, "json": write_json}
