"""Bounds the cost of decoding one body: a small body can contain millions of tiny messages."""

from typing import Final

from monitor.lib.errors import HeadroomError

MAX_STEPS: Final = 8_000_000  # a step takes about 0.25 µs; AWS's largest body takes a quarter of these steps
MAX_DECODE_ERRORS: Final = 10_000  # per body; after that the rest of a record is counted as one error
MAX_NAMESPACES: Final = 1000  # of undeclared metrics, per body; further namespaces are counted together


class DecodeBudgetExceededError(HeadroomError):
    """A body costs more to decode than any that AWS sends."""


class DecodeBudget:
    """The steps and errors that decoding a body may still take. A step is the cost of one protobuf field.

    steps_left: a hot loop may reduce it directly; the next `spend` raises if it is negative.
    """

    __slots__ = ("_errors_left", "steps_left")

    def __init__(self, steps: int = MAX_STEPS, errors: int = MAX_DECODE_ERRORS) -> None:
        self.steps_left, self._errors_left = steps, errors

    def spend(self, steps: int) -> None:
        """Take steps from the budget. Raises DecodeBudgetExceededError when none are left."""
        self.steps_left -= steps
        if self.steps_left < 0:
            raise DecodeBudgetExceededError

    def count_error(self) -> None:
        """Take one error from the budget."""
        self._errors_left -= 1

    @property
    def tolerates_errors(self) -> bool:
        """True while the body may have more errors, so that decoding continues after a malformed piece."""
        return self._errors_left > 0
