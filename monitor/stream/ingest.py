"""What Firehose delivered, into the fleet: decoded in a thread of its own, written on the event loop."""

import asyncio
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from monitor.fleet import CellKey, Fleet
from monitor.stream.deadletters import DeadLetters
from monitor.stream.envelope import LARGEST, Refused, inflated, opened
from monitor.stream.names import Names
from monitor.stream.points import Bad, Points
from monitor.stream.records import points_of
from monitor.stream.room import Room
from monitor.stream.telemetry import StreamTelemetry
from monitor.stream.wanted import DECODED, WANTED
from monitor.stream.writer import LookAgain, Writer

REMEMBERED = 20_000  # requests that were taken in

Print = tuple[str, int, int]  # what a request is known again by: its id, and checksum and size of its records


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request as it came. source: the Firehose stream that says to have sent it."""

    request: str
    source: str
    body: bytes
    gzipped: bool


@dataclass(frozen=True, slots=True)
class Decoded:
    """good: whether any record was; names: what the points' numbers mean."""

    fingerprint: Print
    points: Points
    names: Names
    good: bool


def nobody(_: CellKey, __: str) -> None:
    """Look at nothing again."""


class Ingest:
    """The stream's way into a fleet; `arrived` is set whenever points were written.

    One thread decodes one body at a time: decoding holds Python's global lock, so more would gain nothing.
    """

    def __init__(
        self,
        fleet: Fleet,
        telemetry: StreamTelemetry,
        look_again: LookAgain = nobody,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.telemetry, self.letters, self.room = telemetry, DeadLetters(), Room()
        self.arrived = asyncio.Event()
        self._writer, self._clock = Writer(fleet, telemetry, look_again), clock
        self._names = Names(WANTED)
        self._taken = OrderedDict[Print, None]()
        self._thread = ThreadPoolExecutor(1, "stream")
        telemetry.watch(lambda: self.room.used)

    async def take(self, delivery: Delivery) -> None:
        """Have all points of a delivery in the fleet. Raises Refused when nothing of it can be used.

        A request that was taken in before changes nothing: Firehose sends it again when it saw no answer,
        and by then later points may have come.
        """
        decoded = await asyncio.get_running_loop().run_in_executor(self._thread, self._decode, delivery)
        if decoded is None:
            return
        points = decoded.points
        self._note(points, delivery)
        if not decoded.good and points.letters:
            raise Refused(f"every record is bad; the first: {points.letters[0].reason}")
        await self._writer.write(points, decoded.names, self._clock())
        self._taken[decoded.fingerprint] = None
        if len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)
        self.arrived.set()

    def _decode(self, delivery: Delivery) -> Decoded | None:
        """The points of a delivery; None when it was taken in before. Raises Refused."""
        body = inflated(delivery.body) if delivery.gzipped else delivery.body
        if len(body) > LARGEST:
            raise Refused(f"expected at most {LARGEST} bytes, found {len(body)}")
        records = opened(body, delivery.request)
        fingerprint = delivery.request, *checksum(records)
        if fingerprint in self._taken:
            return None
        if self._names.full:
            self._names = Names(WANTED)
        points, good = points_of(records, self._names, DECODED)
        return Decoded(fingerprint, points, self._names, good)

    def _note(self, points: Points, delivery: Delivery) -> None:
        self.letters.add(points.letters, self._clock(), delivery.request, delivery.source)
        for form, pieces in points.bad.items():
            self.telemetry.bad.labels(form).inc(pieces)
        for namespace, unused in points.unwanted.items():
            self.telemetry.count_unused(namespace, unused)

    def close(self) -> None:
        """Decode nothing more; a body that is being decoded is given up."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def checksum(records: list[bytes | Bad]) -> tuple[int, int]:
    """Of the records' bytes: a checksum, and their number. The same records have the same."""
    crc = size = 0
    for record in records:
        piece = record.piece if isinstance(record, Bad) else record
        crc, size = zlib.crc32(piece, crc), size + len(piece)
    return crc, size
