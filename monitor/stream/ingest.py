"""Ingests deliveries of Firehose: decodes them in a thread, and writes them on the event loop."""

import asyncio
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from monitor.fleet.fleet import Fleet
from monitor.lib.byte_budget import MAX_BYTES, ByteBudget
from monitor.stream.dead_letters import DeadLetterStore, MemoryDeadLetterStore, StreamDeadLetter
from monitor.stream.declared_metrics import DeclaredMetrics
from monitor.stream.decode import decode_records
from monitor.stream.decode_budget import DecodeBudgetExceededError
from monitor.stream.discovery import Discovery
from monitor.stream.early_points import MAX_EARLY_POINTS
from monitor.stream.envelope import MAX_BODY_BYTES, EnvelopeError, gunzip, parse_envelope
from monitor.stream.fleet_writer import FleetWriter
from monitor.stream.interner import MAX_INTERNER_BYTES, NameInterner
from monitor.stream.points import MAX_PIECE_BYTES, DecodeError, Points
from monitor.stream.telemetry import StreamTelemetry

MAX_ACCEPTED_REQUESTS = 20_000  # the latest accepted requests, whose fingerprints are stored

NO_DISCOVERY = Discovery()

Fingerprint = tuple[str, int, int]  # identifies a request: its id, and checksum and size of its records


@dataclass(frozen=True, slots=True)
class FirehoseRequest:
    """A delivery. source: the ARN of the delivery stream, as the sender says. gzipped: `body` is gzip."""

    id: str
    source: str
    body: bytes
    gzipped: bool


@dataclass(frozen=True, slots=True)
class DecodedRequest:
    """The points of a request.

    names: the interner that numbered the names of the points. writer: writes the points.
    any_valid: true if any record was decoded or empty.
    """

    fingerprint: Fingerprint
    points: Points
    names: NameInterner
    writer: FleetWriter
    any_valid: bool


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """The store of dead letters, limits of memory, and the clock.

    dead_letters: stores the pieces that cannot be decoded.
    max_held_bytes: the maximum total size of all bodies that are being received or processed.
    max_early_points: the maximum number of points that wait for an inventory.
    max_interner_bytes: the maximum memory for the names of metrics.
    clock: returns epoch seconds.
    """

    dead_letters: DeadLetterStore = field(default_factory=MemoryDeadLetterStore)
    max_held_bytes: int = MAX_BYTES
    max_early_points: int = MAX_EARLY_POINTS
    max_interner_bytes: int = MAX_INTERNER_BYTES
    clock: Callable[[], float] = time.time


class Ingest:
    """Ingests deliveries into a fleet.

    One thread decodes one body at a time: decoding holds the GIL, so more threads would not be faster.

    has_new_points: set whenever points have been written.
    names: the present interner of names, which is replaced when it is full; there is none before the first
    delivery.
    """

    names: NameInterner

    def __init__(
        self,
        fleet: Fleet,
        load_metrics: Callable[[], DeclaredMetrics],
        telemetry: StreamTelemetry,
        discovery: Discovery = NO_DISCOVERY,
        options: IngestOptions | None = None,
    ) -> None:
        """load_metrics: returns the metrics to decode; called in the thread, at the first delivery.

        The declarations of all services take 8 MiB, and only deliveries need the services that are not
        watched.
        """
        self._options = options or IngestOptions()
        self.telemetry, self.dead_letters = telemetry, self._options.dead_letters
        self.budget = ByteBudget(self._options.max_held_bytes)
        self.has_new_points = asyncio.Event()
        self._fleet, self._discovery, self._load_metrics = fleet, discovery, load_metrics
        self._clock = self._options.clock
        self._writer: FleetWriter | None = None
        self._accepted = OrderedDict[Fingerprint, None]()
        self._thread = ThreadPoolExecutor(1, "stream")
        telemetry.set_held_bytes(lambda: self.budget.used)

    def _new_interner(self, metrics: DeclaredMetrics) -> NameInterner:
        return NameInterner(metrics.statistics, self._options.max_interner_bytes)

    def _opened_writer(self) -> FleetWriter:
        """Return the writer; load the metrics for the first delivery."""
        if self._writer is None:
            metrics = self._load_metrics()
            self.names = self._new_interner(metrics)
            self._writer = FleetWriter(
                self._fleet, metrics, self.telemetry, self._discovery, self._options.max_early_points
            )
        return self._writer

    async def ingest(self, request: FirehoseRequest) -> None:
        """Write all points of a request to the fleet.

        Firehose repeats a request when it got no response. A request that was accepted before is ignored, as
        it could overwrite later points.

        Raises EnvelopeError when no record is usable. Raises TooManyNamesError or ByteBudgetExceededError
        when Firehose should repeat the request later.
        """
        decoded = await asyncio.get_running_loop().run_in_executor(self._thread, self._decode, request)
        if decoded is None:
            return
        points = decoded.points
        self._record_losses(points, request)
        if not decoded.any_valid and points.errors:
            raise EnvelopeError(f"no record could be decoded; the first error: {points.errors[0].reason}")
        await decoded.writer.write(points, decoded.names, self._clock(), request.source)
        self._accepted[decoded.fingerprint] = None
        if len(self._accepted) > MAX_ACCEPTED_REQUESTS:
            self._accepted.popitem(last=False)
        self.has_new_points.set()

    def _decode(self, request: FirehoseRequest) -> DecodedRequest | None:
        """Decode a request, or return None if it was accepted before. Raises EnvelopeError."""
        body = gunzip(request.body) if request.gzipped else request.body
        if len(body) > MAX_BODY_BYTES:
            raise EnvelopeError(f"expected at most {MAX_BODY_BYTES} bytes, found {len(body)}")
        records = parse_envelope(body, request.id)
        fingerprint = request.id, *checksum(records)
        if fingerprint in self._accepted:
            return None
        writer = self._opened_writer()
        if self.names.is_full:
            self.names = self._new_interner(writer.metrics)
        self.names.begin_body()
        try:
            points, any_valid = decode_records(records, self.names, writer.metrics.decoded_statistics)
        except DecodeBudgetExceededError:
            raise EnvelopeError("it is more expensive to decode than any body that AWS sends") from None
        return DecodedRequest(fingerprint, points, self.names, writer, any_valid)

    def _record_losses(self, points: Points, request: FirehoseRequest) -> None:
        """Store and count the pieces that could not be decoded; count the points of undeclared metrics."""
        for error in points.errors:
            self.dead_letters.add(_dead_letter(error, request, self._clock()))
        for format_, errors in points.error_counts.items():
            self.telemetry.decode_errors.labels(format_).inc(errors)
        for namespace, count in points.undeclared.items():
            self.telemetry.count_unused(namespace, count)

    async def write_early(self) -> None:
        """Write the points that wait for an inventory, if an inventory has ended."""
        if self._writer is not None:
            await self._writer.write_early(self._clock())

    def close(self) -> None:
        """Decode no further bodies; the body that is being decoded is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _dead_letter(error: DecodeError, request: FirehoseRequest, at: float) -> StreamDeadLetter:
    return StreamDeadLetter(
        at,
        request.id[:MAX_PIECE_BYTES],
        request.source[:MAX_PIECE_BYTES],
        error.format,
        error.reason[:MAX_PIECE_BYTES],
        error.piece.decode("utf-8", "backslashreplace"),
    )


def checksum(records: list[bytes | DecodeError]) -> tuple[int, int]:
    """Return the CRC-32 of all bytes of the records, and the number of these bytes."""
    crc = size = 0
    for record in records:
        piece = record.piece if isinstance(record, DecodeError) else record
        crc, size = zlib.crc32(piece, crc), size + len(piece)
    return crc, size
