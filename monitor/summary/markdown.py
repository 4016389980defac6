"""The summary as Markdown with GitHub's tables."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from monitor.fleet import Key
from monitor.report import as_code, in_markdown, used
from monitor.rows import Row, signal_of
from monitor.sparkline import LEGEND, sparkline
from monitor.summary.page import day
from monitor.summary.summary import Line, Summary, name
from monitor.telemetry import VERSION
from monitor.units import amount, percent
from monitor.web.shell import dollars

KEYS = 5  # series spelled out for one command


def as_markdown(summary: Summary) -> str:
    parts = (_head, _worst, _risen, _idle, _blind, _foot)
    return "\n\n".join("\n".join(part(summary)) for part in parts) + "\n"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()
) -> Iterator[str]:
    """A table of cells that are Markdown already."""
    ruler = ["---:" if column in numbers else "---" for column in columns]
    for row in (columns, ruler, *rows):
        yield f"| {' | '.join(row)} |"


def _more(number: int) -> list[str]:
    return ["", f"{number} more are not listed."] if number else []


def _head(summary: Summary) -> Iterator[str]:
    yield "# AWS limits: how close we are"
    yield ""
    only = ", ".join(f"{label} {' or '.join(patterns)}" for label, patterns in summary.only.items())
    narrowed = f"; only {in_markdown(only)}" if only else ""
    places = "; ".join(f"{account} in {', '.join(regions)}" for account, regions in summary.places.items())
    over = f", over {in_markdown(places)}" if places else ""
    made = f"Made on {day(summary.look.at)} from the three hours before, by Headroom {VERSION}"
    yield f"{made}{over}{narrowed}."
    yield ""
    counts = {zone.word: str(number) for zone, number in summary.counts.items()}
    yield from table(list(counts), [list(counts.values())], list(counts))


def _worst(summary: Summary) -> Iterator[str]:
    yield "## Worst"
    yield ""
    if not summary.worst.items:
        yield "No series could be judged."
        return
    rows = [[*_series(summary, line), _since(line), _remedy(line.row)] for line in summary.worst.items]
    yield from table([*SERIES, "since", "what to do first"], rows, NUMBERS)
    yield from ["", LEGEND]
    if more := summary.worst.more:
        yield from ["", f"{more} more are above their target bands."]


SERIES = ("zone", "what", "where", "utilization", "usage", "limit", "three hours")
NUMBERS = ("utilization", "usage", "limit", "a month")


def _series(summary: Summary, line: Line) -> list[str]:
    row = line.row
    refused = f" ({row.refused:.3g}/s refused)" if row.refused else ""
    limit = "not known" if row.limit is None else amount(row.limit, row.unit)
    told = (row.zone.word + refused, _what(row.key), summary.where(row.key), percent(row.utilization))
    return [*map(in_markdown, (*told, used(row), limit)), as_code(sparkline(line.course))]


def _what(key: Key) -> str:
    return f"{name(key)}: {signal_of(key).title}"


def _since(line: Line) -> str:
    if line.since is None:
        return "over three hours"
    return f"{datetime.fromtimestamp(line.since, UTC):%d %b %H:%M} UTC"


def _remedy(row: Row) -> str:
    return in_markdown(signal_of(row.key).remedy[0])


def _risen(summary: Summary) -> Iterator[str]:
    yield "## Newly above their band"
    yield ""
    yield "What went above its target band within the three hours and still is."
    if summary.risen.items:
        yield ""
        rows = [
            [_since(line) + (", again" if line.again else ""), *_series(summary, line)]
            for line in summary.risen.items
        ]
        yield from table(["since", *SERIES], rows, NUMBERS)
        yield from _more(summary.risen.more)
    else:
        yield "Nothing did."


def _idle(summary: Summary) -> Iterator[str]:
    yield "## Money below the band"
    yield ""
    if not summary.idle.items:
        yield "Nothing that was bought is below its band."
        return
    yield (
        "Limits that were bought and are idle. What could be given back is such that the highest minute of "
        "the three hours would be in the middle of the band; a night's batch or a month's end is not in them."
    )
    yield ""
    columns = ("what", "where", "bought", "highest use", "could be given back", "a month", "price")
    rows = [
        (
            f"{one.name}: {signal_of(one.key).title}",
            summary.where(one.key),
            one.bought,
            one.peak,
            one.spare or "not known",
            "not known" if one.month is None else dollars(one.month),
            one.price,
        )
        for one in summary.idle.items
    ]
    yield from table(columns, [list(map(in_markdown, row)) for row in rows], NUMBERS)
    yield from _more(summary.idle.more)
    yield ""
    yield _sum(summary)


def _sum(summary: Summary) -> str:
    if summary.unpriced == len(summary.idle.items) + summary.idle.more:
        return "No price of these is known, so no sum is told."
    without = f"; what has none ({summary.unpriced}) is not in it" if summary.unpriced else ""
    return (
        f"**{dollars(summary.month)} a month** of what has a known price{without}. "
        f"List prices, without discounts and taxes: {', '.join(summary.sources)}"
    )


def _blind(summary: Summary) -> Iterator[str]:
    yield "## Blind spots"
    yield ""
    for cause in summary.causes.items:
        yield f"- {in_markdown(cause.reason)}: {cause.total} series"
        for keys, enable in cause.ways.items:
            names = "; ".join(f"{_what(key)} ({summary.where(key)})" for key in keys[:KEYS])
            rest = f" and {len(keys) - KEYS} more" if len(keys) > KEYS else ""
            yield f"  - {in_markdown(names)}{rest}" + (f": {as_code(enable)}" if enable else "")
        if cause.ways.more:
            yield f"  - {cause.ways.more} more are not listed."
    yield from (f"- AWS refused or failed: {in_markdown(sentence)}" for sentence in summary.failures.items)
    if not summary.causes.items and not summary.failures.items:
        yield "None."
    yield from (*_more(summary.causes.more), *_more(summary.failures.more))


def _foot(summary: Summary) -> Iterator[str]:
    look = summary.look
    cost = dollars(look.dollars)
    yield f"{len(look.rows)} series were looked at."
    yield f"The look itself cost {cost}: {look.metrics} metrics of CloudWatch's GetMetricData."
