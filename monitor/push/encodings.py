"""The protocols, as one shape: what a request is made of, how it is marked, and which answers pass."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final, Protocol

import cramjam
import numpy as np
import numpy.typing as npt

from monitor.columns import Ints
from monitor.exposition import Family
from monitor.fleet import Series
from monitor.push import otlp, remote_write
from monitor.push.labels import Encode, Labels

Doubles = npt.NDArray[np.float64]
Points = Callable[[Ints, Doubles], npt.NDArray[np.void]]


class Writer(Protocol):
    """One request that is being written; `size`: bytes so far, roughly."""

    size: int

    def __init__(self, labels: Labels) -> None: ...

    def add(self, family: Family, series: Series, points: memoryview) -> None:
        """Add samples of a series to a family; `points` as the protocol's function made them."""
        ...

    def message(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Encoding:
    """label: one label, as the writer's `Labels` need it. points: samples, all of one size.

    passing: whether a status means that the same request may succeed later. advice: what to do about others.
    proof: the header without which success is none: a receiver of 1.0 may read 2.0 as nothing at all.
    """

    label: Encode
    writer: type[Writer]
    points: Points
    pack: Callable[[bytes], bytes]
    headers: Mapping[str, str]
    passing: Callable[[int], bool]
    advice: Mapping[int, str] = field(default_factory=dict)
    proof: str | None = None


def snappy(message: bytes) -> bytes:
    """Snappy's block format, as remote write wants it."""
    return bytes(cramjam.snappy.compress_raw(message))


def gzipped(message: bytes) -> bytes:
    return gzip.compress(message, compresslevel=1, mtime=0)


# https://prometheus.io/docs/specs/prw/remote_write_spec/#retries--backoff
def remote_write_passes(status: int) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


# https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
def otlp_passes(status: int) -> bool:
    return status in (
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    )


TAKES_1 = "it may know remote write 1.0 only; set `version: 1`"
UNKNOWN: Final[Mapping[int, str]] = dict.fromkeys(
    (HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE), TAKES_1
)
WRITTEN: Final = "X-Prometheus-Remote-Write-Samples-Written"


def _remote_write(writer: type[Writer], kind: str, version: str) -> Encoding:
    headers = {
        "Content-Type": kind,
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": version,
    }
    return Encoding(remote_write.label, writer, remote_write.points, snappy, headers, remote_write_passes)


ENCODINGS: Final[Mapping[str, Encoding]] = {
    "remote_write 1": _remote_write(remote_write.Writer1, "application/x-protobuf", "0.1.0"),
    "remote_write 2": replace(
        _remote_write(
            remote_write.Writer2, "application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"
        ),
        advice=UNKNOWN,
        proof=WRITTEN,
    ),
    "otlp": Encoding(
        otlp.attribute,
        otlp.Writer,
        otlp.points,
        gzipped,
        {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"},
        otlp_passes,
    ),
}
