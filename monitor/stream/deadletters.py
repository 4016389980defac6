"""Pieces that could not be decoded, kept for whoever wants to know why: the latest of them, in memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monitor.stream.points import SHOWN, Bad

MOST = 200  # letters


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """at: when it came, epoch seconds. source: the Firehose stream that says to have sent it."""

    at: float
    request: str
    source: str
    format: str
    reason: str
    piece: str


class DeadLetters:
    """The latest letters, the newest last; `count` of all there were."""

    def __init__(self) -> None:
        self._letters = deque[DeadLetter](maxlen=MOST)
        self.count = 0

    def add(self, bad: Iterable[Bad], at: float, request: str, source: str) -> None:
        for one in bad:
            piece = one.piece.decode("utf-8", "backslashreplace")
            self._letters.append(
                DeadLetter(at, request[:SHOWN], source[:SHOWN], one.format, one.reason[:SHOWN], piece)
            )
            self.count += 1

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(tuple(self._letters))
