"""Makes external text safe to show: printable, on one line, of bounded length and encodable."""

import unicodedata

MAX_LINE_LENGTH = 300  # characters


def escape_unprintable(text: str) -> str:
    """Escape unprintable characters, so that text cannot control a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def single_line(text: str) -> str:
    """Join lines, and replace control characters, lone surrogates and directional marks by spaces."""
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    return " ".join(text.split())


def truncate(text: str, max_length: int) -> str:
    """Return at most `max_length` characters; if text is cut off, the last character is an ellipsis."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def short_line(text: str, max_length: int = MAX_LINE_LENGTH) -> str:
    """Return one line of at most `max_length` characters. Processes only the beginning of long text."""
    return truncate(single_line(text[: 2 * max_length]), max_length)


def replace_surrogates(text: str) -> str:
    """Replace lone surrogates by `?`; JSON can contain them, UTF-8 cannot."""
    return text.encode(errors="replace").decode()
