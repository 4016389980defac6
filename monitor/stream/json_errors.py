"""The errors of parsing JSON that was delivered."""

from typing import Final

import msgspec

PARSE_ERRORS: Final = (msgspec.MsgspecError, ValueError, RecursionError)  # UnicodeError is a ValueError
