"""The catalogue of signals as text, a Markdown table or JSON."""

from collections.abc import Iterable

import orjson

from monitor.render.default_limit import default_limit_text
from rules.signals import Signal, Tier


def as_text(signals: Iterable[Signal]) -> str:
    """Return one paragraph per signal."""
    return "\n\n".join(map(_paragraph, signals))


def _paragraph(signal: Signal) -> str:
    lines = [signal.id, signal.title, f"limit: {default_limit_text(signal)}, {signal.kind.value}"]
    lines += [f"quota: {signal.quota.code}"] if signal.quota else []
    if signal.tier is Tier.DETAIL:
        lines += [f"off, unless the configuration has: signals: {{enabled: [{signal.id}]}}"]
    lines += [f"unverified: {signal.unverified}"] if signal.unverified else []
    return "\n  ".join([*lines, *(f"remedy: {remedy}" for remedy in signal.remedy), *signal.docs])


def as_markdown(signals: Iterable[Signal]) -> str:
    """Return a table with one row per signal."""
    rows = [("signal", "usage", "default limit", "kind"), ("--",) * 4]
    rows += [
        (f"`{signal.id}`", signal.title, default_limit_text(signal), _kind(signal)) for signal in signals
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _kind(signal: Signal) -> str:
    words = [signal.kind.value]
    if signal.tier is Tier.DETAIL:
        words.append("off by default")
    if signal.unverified:
        words.append("unverified")
    return ", ".join(words)


def as_json(signals: Iterable[Signal]) -> str:
    """Return every field of every signal, as /api/v1/catalogue does."""
    entries = [signal.model_dump(mode="json", by_alias=True) for signal in signals]
    document = {"items": entries, "total": len(entries)}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}
