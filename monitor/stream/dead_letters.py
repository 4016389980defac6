"""Dead letters: the latest pieces of Firehose's requests that could not be decoded, to find the cause."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_DEAD_LETTERS = 200


@dataclass(frozen=True, slots=True)
class StreamDeadLetter:
    """A piece that could not be decoded.

    at: when the piece was received, in epoch seconds.
    request: the id of the request.
    source: the ARN of the delivery stream, as stated by the sender.
    format: `json` or `otlp`; `record` if the base64 was invalid or the record too large.
    piece: the first bytes of the piece, as text.
    """

    at: float
    request: str
    source: str
    format: str
    reason: str
    piece: str


class DeadLetterStore(Protocol):
    """Stores the latest dead letters."""

    @property
    def count(self) -> int:
        """The number of letters added since the start."""
        ...

    def add(self, letter: StreamDeadLetter) -> None:
        """Add a letter; an older one may be dropped."""
        ...

    def latest(self) -> Sequence[StreamDeadLetter]:
        """Return the stored letters, the newest first."""
        ...


class MemoryDeadLetterStore:
    """A DeadLetterStore in memory."""

    def __init__(self, max_letters: int = MAX_DEAD_LETTERS) -> None:
        self._letters = deque[StreamDeadLetter](maxlen=max_letters)
        self.count = 0

    def add(self, letter: StreamDeadLetter) -> None:
        """See `DeadLetterStore.add`."""
        self._letters.append(letter)
        self.count += 1

    def latest(self) -> Sequence[StreamDeadLetter]:
        """See `DeadLetterStore.latest`."""
        return tuple(reversed(self._letters))
