"""The catalogue as people read it: text, a Markdown table, JSON."""

from collections.abc import Iterable

import orjson

from monitor.units import amount
from rules.limits import Signal


def limit_of(signal: Signal) -> str:
    """The documented default, from the lowest to the highest region; a word where the customer sets it."""
    default = signal.default
    if default is None:
        return "what is bought or set"
    values = [default.value, *default.by_region.values()]
    lowest, highest = (amount(value, signal.unit) for value in (min(values), max(values)))
    return lowest if lowest == highest else f"{lowest} to {highest}, by region"


def as_text(signals: Iterable[Signal]) -> str:
    """A paragraph a signal."""
    return "\n\n".join(map(_paragraph, signals))


def _paragraph(signal: Signal) -> str:
    lines = [signal.id, signal.title, f"limit: {limit_of(signal)}, {signal.kind.value}"]
    lines += [f"quota: {signal.quota.code}"] if signal.quota else []
    return "\n  ".join([*lines, *(f"remedy: {remedy}" for remedy in signal.remedy), *signal.docs])


def as_markdown(signals: Iterable[Signal]) -> str:
    """A table with a row a signal."""
    rows = [("signal", "usage", "default limit", "kind"), ("--",) * 4]
    rows += [(f"`{one.id}`", one.title, limit_of(one), one.kind.value) for one in signals]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_json(signals: Iterable[Signal]) -> str:
    """Every field of the entries."""
    entries = [signal.model_dump(mode="json") for signal in signals]
    return orjson.dumps(entries, option=orjson.OPT_INDENT_2).decode()


FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}
