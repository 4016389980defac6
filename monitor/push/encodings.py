"""The push protocols: the body of a request, its headers, and the statuses that are retried."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from monitor.exposition.families import Family
from monitor.fleet.fleet import Series
from monitor.push import otlp, remote_write
from monitor.push.label_encoder import EncodeLabel, LabelEncoder
from rules.arrays import Float64s, Ints

EncodePoints = Callable[[Ints, Float64s], npt.NDArray[np.void]]


class MessageWriter(Protocol):
    """Writes the message of one request. size: its approximate size so far, in bytes."""

    size: int

    def __init__(self, labels: LabelEncoder) -> None: ...

    def add(self, family: Family, series: Series, points: memoryview) -> None:
        """Add samples of a series to a family. points: the output of the protocol's `encode_points`."""
        ...

    def message(self) -> bytes:
        """Return the protobuf message."""
        ...


@dataclass(frozen=True, slots=True)
class Encoding:
    """A push protocol.

    encode_label: encodes one label for the writer's `LabelEncoder`.
    writer: the class that writes the message of a request.
    encode_points: encodes samples, each to the same number of bytes.
    compress: compresses the message.
    headers: the headers of a request.
    is_retryable: returns whether a request may succeed later, after a response with this status.
    advice: what the log advises, by the status of the response.
    required_header: a 2xx response without this header is a failure, as a receiver of remote write 1.0 may
    take a request of 2.0 for an empty one.
    """

    encode_label: EncodeLabel
    writer: type[MessageWriter]
    encode_points: EncodePoints
    compress: Callable[[bytes], bytes]
    headers: Mapping[str, str]
    is_retryable: Callable[[int], bool]
    advice: Mapping[int, str] = field(default_factory=dict)
    required_header: str | None = None


def snappy_block(message: bytes) -> bytes:
    """Compress to Snappy's block format, which remote write requires."""
    import cramjam  # noqa: PLC0415 - takes 1.5 MiB, and most users push nothing

    return bytes(cramjam.snappy.compress_raw(message))


def gzip_stream(message: bytes) -> bytes:
    """Compress to gzip, for speed rather than size."""
    return gzip.compress(message, compresslevel=1, mtime=0)


def is_retryable_remote_write(status: int) -> bool:
    """Return whether a remote write request may be retried after a response with this status.

    https://prometheus.io/docs/specs/prw/remote_write_spec/#retries--backoff
    """
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def is_retryable_otlp(status: int) -> bool:
    """Return whether an OTLP request may be retried after a response with this status.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
    """
    return status in (
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    )


VERSION_2_ADVICE: Final[Mapping[int, str]] = dict.fromkeys(
    (HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    "the receiver may support remote write 1.0 only; set `version: 1`",
)
SAMPLES_WRITTEN_HEADER: Final = "X-Prometheus-Remote-Write-Samples-Written"


def _remote_write(writer: type[MessageWriter], media_type: str, version: str) -> Encoding:
    headers = {
        "Content-Type": media_type,
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": version,
    }
    return Encoding(
        remote_write.encode_label,
        writer,
        remote_write.encode_points,
        snappy_block,
        headers,
        is_retryable_remote_write,
    )


ENCODINGS: Final[Mapping[str, Encoding]] = {
    "remote_write 1": _remote_write(remote_write.RemoteWrite1Writer, "application/x-protobuf", "0.1.0"),
    "remote_write 2": replace(
        _remote_write(
            remote_write.RemoteWrite2Writer,
            "application/x-protobuf;proto=io.prometheus.write.v2.Request",
            "2.0.0",
        ),
        advice=VERSION_2_ADVICE,
        required_header=SAMPLES_WRITTEN_HEADER,
    ),
    "otlp": Encoding(
        otlp.encode_attribute,
        otlp.OtlpWriter,
        otlp.encode_points,
        gzip_stream,
        {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"},
        is_retryable_otlp,
    ),
}
