"""Escapes text for Markdown."""

import re

from monitor.lib.text import escape_unprintable

SPECIAL = re.compile(r"[\\`*\[\]<>|~&]|(?<![^\W_])_|_(?![^\W_])")  # `_` within a word is not special


def escape_markdown(text: str) -> str:
    """Return text on one line that Markdown shows literally, in table cells as well."""
    return SPECIAL.sub(r"\\\g<0>", escape_unprintable(text))


def code_span(text: str) -> str:
    """Return text as a code span, whatever backticks it contains."""
    runs = re.findall("`+", text)
    fence = "`" * (1 + max(map(len, runs), default=0))
    return fence + (f" {escape_unprintable(text)} " if runs else escape_unprintable(text)) + fence
