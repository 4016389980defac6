"""Validates acknowledgements and silences, for the API, the pages and the journal."""

from typing import Annotated, Final

import msgspec

from monitor.lib.errors import HeadroomError

MAX_TEXT_LENGTH: Final = 1000  # characters of an author or a comment
MAX_DURATION: Final = 366 * 86400.0  # seconds
MAX_TIME: Final = 253_402_300_799.0  # epoch seconds: the last second of the year 9999
MAX_NUMBER: Final = 2**53  # up to this, JSON and SQLite represent integers exactly

EpochSeconds = Annotated[float, msgspec.Meta(ge=0, le=MAX_TIME)]  # never NaN
JsonInteger = Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]
AnnotationText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_LENGTH)]


class InvalidInputError(HeadroomError, ValueError):
    """An author, comment or time is not accepted. The message is a sentence without a capital."""


def validate_text(what: str, text: str) -> str:
    """Return an author or comment on one line. what: the field's name in errors.

    Raises InvalidInputError when the text is empty, too long or not UTF-8.
    """
    line = " ".join(text.split())
    if not line or len(line) > MAX_TEXT_LENGTH:
        raise InvalidInputError(
            f"expected {what}, as text of 1 to {MAX_TEXT_LENGTH} characters, found {len(line)}"
        )
    if not line.isascii() and line.encode(errors="replace").decode() != line:
        raise InvalidInputError(f"expected {what}, as text in UTF-8, found half of a surrogate pair")
    return line


def validate_end(starts: float, ends: float, now: float, what: str) -> float:
    """Return the end of a silence or acknowledgement. Times are epoch seconds.

    what: what errors call it, such as `a silence`. Raises InvalidInputError when the end is past, before the
    start or too late.
    """
    if not ends > max(starts, now):
        raise InvalidInputError("expected an end that is later than the start and than now")
    if ends - now > MAX_DURATION:
        raise InvalidInputError(
            f"expected {what} of at most a year; for longer, use `exclude` in the configuration"
        )
    return ends
