"""How many bytes of requests may be held at once: what does not fit is sent back, and comes again."""

from collections.abc import Iterator
from contextlib import contextmanager

MOST = 128 * 1024**2  # bytes of bodies
LEAST = 64 * 1024  # bytes that a request is counted with at least, so that their number is bounded, too


class Full(Exception):
    """There is no room for more."""


class Share:
    """The part of the room that one request takes."""

    def __init__(self, room: "Room") -> None:
        self._room, self.size = room, 0

    def hold(self, size: int) -> None:
        """Take as much as `size` bytes in all need. Raises Full."""
        more = max(size, LEAST) - self.size
        if more > 0:
            self._room.take(more)
            self.size += more


class Room:
    """The bytes that are held, `used`, of those that may be."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self.used = most, 0

    def take(self, size: int) -> None:
        if self.used + size > self._most:
            raise Full
        self.used += size

    @contextmanager
    def share(self) -> Iterator[Share]:
        """A share that is given back in the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self.used -= share.size
