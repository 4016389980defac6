"""Bounds the bytes of request bodies in memory; a request beyond the bound must be sent again."""

from collections.abc import Iterator
from contextlib import contextmanager

from monitor.lib.errors import HeadroomError

MAX_BYTES = 128 * 1024**2  # of all bodies together
MIN_RESERVATION = 64 * 1024  # bytes that each request reserves at least, which bounds the number of requests


class ByteBudgetExceededError(HeadroomError):
    """The budget is used up; the request may succeed later."""


class Reservation:
    """The reservation of one request. size: the reserved bytes."""

    def __init__(self, budget: "ByteBudget") -> None:
        self._budget, self.size = budget, 0

    def grow_to(self, size: int) -> None:
        """Increase the reservation to `size` bytes. Raises ByteBudgetExceededError."""
        increase = max(size, MIN_RESERVATION) - self.size
        if increase > 0:
            self._budget.acquire(increase)
            self.size += increase


class ByteBudget:
    """The bytes that requests may reserve. used: the bytes reserved by all requests."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes, self.used = max_bytes, 0

    def acquire(self, size: int) -> None:
        """Reserve `size` more bytes. Raises ByteBudgetExceededError."""
        if self.used + size > self._max_bytes:
            raise ByteBudgetExceededError
        self.used += size

    @contextmanager
    def reserve(self) -> Iterator[Reservation]:
        """Yield an empty reservation, which is released when the block ends."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            self.used -= reservation.size
