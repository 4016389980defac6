"""The store of requests that wait to be sent, as a protocol that any database can implement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.lib.errors import HeadroomError
from monitor.push.watermarks import WatermarkRows


class PushQueueError(HeadroomError):
    """The queue cannot be used at the moment; the text is a sentence with the reason."""


@dataclass(frozen=True, slots=True)
class PushRequest:
    """A request with samples. newest_minute: the minute of the newest sample."""

    sample_count: int
    newest_minute: int
    body: bytes


@dataclass(frozen=True, slots=True)
class PushBatch:
    """Requests that are queued together. protocol: the key of their encoding in `ENCODINGS`.

    watermarks: what the watermarks are once the requests are queued, by the number of the chunk of slots.
    """

    protocol: str
    requests: Sequence[PushRequest]
    watermarks: Mapping[int, WatermarkRows]


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """A request in the store. protocol: the key of its encoding in `ENCODINGS`. queued_at: epoch seconds."""

    id: int
    protocol: str
    queued_at: float
    request: PushRequest


@dataclass(frozen=True, slots=True)
class QueueSize:
    """The number of samples in the queue of a receiver, and the bytes of the bodies of its requests."""

    sample_count: int = 0
    bytes: int = 0


class PushQueueStore(Protocol):
    """The requests that wait for each receiver, and the watermarks of its series.

    Methods may block; they are called from one thread, one at a time. Each method is atomic: if it raises
    PushQueueError, it has changed nothing.
    """

    @property
    def location(self) -> str:
        """The location of the store, such as a path, for error messages."""
        ...

    @property
    def sizes(self) -> Mapping[str, QueueSize]:
        """The size of each receiver's queue. May be read from any thread."""
        ...

    def append(self, receiver: str, batch: PushBatch, max_bytes: int) -> int:
        """Queue the requests of a batch and save its watermarks.

        If more than `max_bytes` are queued, the oldest requests after the first are dropped; the first may be
        in flight. Returns the number of dropped samples.
        """
        ...

    def first(self, receiver: str) -> QueuedRequest | None:
        """Return the oldest request of a receiver, None if there is none."""
        ...

    def remove(self, receiver: str, queued: QueuedRequest) -> None:
        """Remove a request, if it is still queued."""
        ...

    def load_watermarks(self, receiver: str) -> WatermarkRows:
        """Return the newest watermarks of all series that earlier processes saved for a receiver.

        The watermarks are moved to the chunk of series without a slot (DEPARTED_CHUNK), as in this process
        the series will have other slots.
        """
        ...

    def retain_receivers(self, receivers: Iterable[str]) -> Mapping[str, int]:
        """Delete the data of all receivers but these. Return, by receiver, how many samples were dropped."""
        ...

    def close(self) -> None:
        """Release the resources of the store; the next method call opens it again."""
        ...
