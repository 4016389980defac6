"""Small gzipped requests that unpack to large bodies, or decode to millions of objects.

Run as a program, this module ingests each of these requests, and measures the memory that the ingest takes.
"""

import asyncio
import base64
import gzip
import json
import os
import resource
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial

from monitor.stream.envelope import MAX_RECORD_BYTES, EnvelopeError
from monitor.stream.ingest import FirehoseRequest
from monitor.stream.interner import TooManyNamesError
from tests.monitor.stream.bodies import SOURCE, Update, line, pb_field, varint
from tests.monitor.stream.fleets import fleet_of, ingest_of

MIB = 2**20
RECORDS = 48  # the number of records of the largest size that fit into a body
UPDATE = Update()


def gzip_stream(pieces: Iterable[bytes]) -> bytes:
    """Return one gzip stream; compress a repeated piece once, and never hold all content in memory."""
    compress = cache(deflate_blocks)
    stream, checksum, size = [gzip.compress(b"")[:10]], 0, 0
    for piece in pieces:
        stream.append(compress(piece))
        checksum, size = zlib.crc32(piece, checksum), size + len(piece)
    end = zlib.compress(b"", wbits=-zlib.MAX_WBITS)
    return b"".join([*stream, end, struct.pack("<LL", checksum, size)])


def deflate_blocks(piece: bytes) -> bytes:
    """Return a piece as deflate blocks that may stand anywhere in a stream."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(piece) + deflate.flush(zlib.Z_FULL_FLUSH)


def body(record: bytes, count: int = RECORDS) -> bytes:
    """Return a gzipped request that contains the same record `count` times."""
    entry = b'{"data":"%s"}' % base64.b64encode(record)
    return gzip_stream(
        [b'{"requestId":"r-1","timestamp":1,"records":[', *[entry + b","] * (count - 1), entry, b"]}"]
    )


def fill_record(piece: bytes) -> bytes:
    """Return a piece, repeated as often as it fits into a record."""
    return piece * (MAX_RECORD_BYTES // len(piece))


def with_length(content: bytes) -> bytes:
    """Return a message of OpenTelemetry, preceded by its length."""
    return varint(len(content)) + content


def resource_of(account: bytes = b"123456789012") -> bytes:
    """Return a resource of OTLP, whose attributes are the account and the region."""
    cell = ((b"cloud.account.id", account), (b"cloud.region", b"eu-west-1"))
    return pb_field(
        1, b"".join(pb_field(1, pb_field(1, key) + pb_field(2, pb_field(1, value))) for key, value in cell)
    )


def message_of_scope(content: bytes) -> bytes:
    """Return a message of OpenTelemetry with one scope, whose metrics are this content."""
    return with_length(pb_field(1, resource_of() + pb_field(2, content)))


def different_lines(form: str, size: int = 60) -> bytes:
    """Return a record of different lines.

    form: a line with %d in it. size: the approximate length of a line, in bytes.
    """
    return b"".join((form % n).encode() for n in range(MAX_RECORD_BYTES // size))


METRIC_ATTRIBUTES = pb_field(
    7, pb_field(1, b"Namespace") + pb_field(2, pb_field(1, b"AWS/Kinesis"))
) + pb_field(7, pb_field(1, b"MetricName") + pb_field(2, pb_field(1, b"IncomingBytes")))


def unusual_points() -> bytes:
    """Return points whose fields are in an unusual order, so that each point is read field by field."""
    return fill_record(
        pb_field(1, struct.pack("<Bd", 0x29, 1.0) + struct.pack("<BQ", 0x11, 60) + METRIC_ATTRIBUTES)
    )


def different_resources() -> bytes:
    """Return a message of different resources without points."""
    return with_length(
        b"".join(pb_field(1, resource_of(b"%012d" % n)) for n in range(MAX_RECORD_BYTES // 90))
    )


def nested_dimensions(depth: int) -> bytes:
    """Return the attribute Dimensions, nested in itself `depth` times."""
    value = pb_field(1, b"orders")
    for _ in range(depth):
        value = pb_field(6, pb_field(1, pb_field(1, b"Dimensions") + pb_field(2, value)))
    return pb_field(7, pb_field(1, b"Dimensions") + pb_field(2, value))


OPENING = b'{"requestId":"r-1","records":['
POINT = line(UPDATE).rstrip()
EMPTY_ATTRIBUTES = pb_field(7, pb_field(1, b"Dimensions") + pb_field(2, fill_record(b"\x32\x00")[:60_000]))
BOMBS: Mapping[str, Callable[[], bytes]] = {
    "nothing but zeros": lambda: gzip_stream([b"\0" * MIB] * 70),
    "one stream of gzip after the other": lambda: gzip.compress(b" " * 2**24) * 50,
    "deeply nested arrays": lambda: gzip_stream([b'{"requestId":"r-1","records":', *[b"[" * MIB] * 60]),
    "numbers instead of records": lambda: gzip_stream(
        [b'{"requestId":"r-1","records":[', *[b"1," * MIB] * 30, b"1]}"]
    ),
    "empty records": lambda: gzip_stream([OPENING, *[b"{}," * MIB] * 20, b"{}]}"]),
    "a repeated member": lambda: gzip_stream([b"{", *[b'"requestId":"r-1",' * MIB] * 3, b'"records":[]}']),
    "no base64": lambda: gzip_stream([OPENING, b'{"data":"', *[b"%" * MIB] * 60, b'"}]}']),
    "a record that is too large": partial(body, b"\n" * (40 * MIB), 1),
    "lines of empty objects": partial(body, fill_record(b"{}\n")),
    "blank lines": partial(body, fill_record(b"\n")[:-9] + b"{\n"),
    "broken lines": partial(body, fill_record(b"{\n")),
    "lines with NaN": partial(body, fill_record(POINT.replace(b"600.0", b"NaN") + b"\n")),
    "long lines with NaN": partial(
        body, POINT.replace(b"600.0", b"NaN")[:-1] + b',"x":[' + b"[]," * 330_000 + b"[]]}"
    ),
    "deeply nested lines": partial(body, fill_record(b'{"account_id":' + b"[" * 5000 + b"\n")),
    "a huge number": partial(body, b'{"timestamp":' + b"9" * (MAX_RECORD_BYTES - 20) + b"}"),
    "a huge fraction": partial(body, b'{"value":{"sum":0.' + b"9" * (MAX_RECORD_BYTES - 40) + b"}}"),
    "a huge name": partial(body, POINT.replace(b"eu-west-1", b"e" * (MAX_RECORD_BYTES - 500))),
    "new namespaces": partial(
        body,
        different_lines(
            '{"account_id":"","region":"","namespace":"%d","metric_name":"","dimensions":0,"timestamp":0,"value":{}}\n',
            120,
        ),
    ),
    "new dimensions": partial(
        body,
        b"".join(POINT.replace(b"orders", b"%d" % n) + b"\n" for n in range(MAX_RECORD_BYTES // 300)),
    ),
    "dimensions without end": partial(
        body, fill_record(POINT.replace(b'{"StreamName":"orders"}', b"[" * 4000) + b"\n")
    ),
    "messages without anything": partial(body, fill_record(b"\x02\x10\x00")),
    "broken messages": partial(body, fill_record(b"\x02\xff\xff")),
    "empty resources": partial(body, with_length(fill_record(b"\x0a\x00")[:1_000_000])),
    "different resources": lambda: body(different_resources()),
    "empty metrics": partial(body, message_of_scope(fill_record(b"\x12\x00")[:900_000])),
    "empty summaries": partial(body, message_of_scope(pb_field(2, fill_record(b"\x5a\x00")[:900_000]))),
    "empty points": partial(
        body, message_of_scope(pb_field(2, pb_field(11, fill_record(b"\x0a\x00")[:900_000])))
    ),
    "unusual points": partial(body, message_of_scope(pb_field(2, pb_field(11, unusual_points()[:900_000])))),
    "quantiles": partial(
        body,
        message_of_scope(
            pb_field(2, pb_field(11, pb_field(1, fill_record(b"\x32\x00")[:900_000] + METRIC_ATTRIBUTES)))
        ),
    ),
    "fields of one quantile": partial(
        body,
        message_of_scope(
            pb_field(2, pb_field(11, pb_field(1, pb_field(6, fill_record(b"\x08\x00")[:880_000]))))
        ),
    ),
    "labels of one point": partial(
        body, message_of_scope(pb_field(2, pb_field(11, pb_field(1, fill_record(b"\x0a\x00")[:900_000]))))
    ),
    "labels": partial(
        body, message_of_scope(pb_field(2, pb_field(11, pb_field(1, fill_record(b"\x0a\x00")[:60_000]) * 15)))
    ),
    "dimensions in dimensions": lambda: body(
        message_of_scope(
            pb_field(2, pb_field(11, pb_field(1, METRIC_ATTRIBUTES + nested_dimensions(2500)) * 15))
        )
    ),
    "attributes in attributes": partial(
        body, message_of_scope(pb_field(2, pb_field(11, pb_field(1, EMPTY_ATTRIBUTES) * 15)))
    ),
    "a number without end": partial(body, fill_record(b"\x80")),
    "a field without end": partial(body, with_length(fill_record(b"\xff")[:900_000])),
    "packed numbers": partial(body, with_length(pb_field(3, fill_record(b"\x01")[:900_000]))),
}

# Small records of the same kinds, which test_fuzz varies.
SMALL_RECORDS = (
    b"{}\n" * 100,
    b"\n" * 200 + b"{\n",
    POINT.replace(b"600.0", b"NaN") + b"\n",
    POINT.replace(b'{"StreamName":"orders"}', b"[" * 200),
    b'{"timestamp":' + b"9" * 5000 + b"}",
    b"\x02\x10\x00" * 100,
    with_length(b"\x0a\x00" * 100),
    message_of_scope(b"\x12\x00" * 100),
    message_of_scope(pb_field(2, b"\x5a\x00" * 200)),
    message_of_scope(pb_field(2, pb_field(11, pb_field(1, b"\x32\x00" * 100 + METRIC_ATTRIBUTES)))),
    message_of_scope(pb_field(2, pb_field(11, pb_field(1, b"\x0a\x00" * 100)))),
    message_of_scope(pb_field(2, pb_field(11, pb_field(1, METRIC_ATTRIBUTES + nested_dimensions(1500))))),
    with_length(pb_field(3, b"\x01" * 100)),
    b"\x80" * 100,
)


def main() -> None:
    """Ingest each bomb in a process of its own; print the result as a line of JSON.

    The member `growth_mib` is the largest growth of the memory of the process, in MiB.
    """
    for name, make in BOMBS.items():
        bomb = make()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        read_end, write_end = os.pipe()
        child = os.fork()
        if not child:
            os.write(write_end, outcome(bomb).encode())
            os._exit(0)
        os.close(write_end)
        result = os.read(read_end, 1000).decode()
        os.close(read_end)
        _, status, child_usage = os.wait4(child, 0)
        unit = 1 if sys.platform == "darwin" else 1024  # bytes in the unit of ru_maxrss
        growth_mib = (child_usage.ru_maxrss - before) * unit / MIB
        print(
            json.dumps({"name": name, "outcome": result, "status": status, "growth_mib": growth_mib}),
            flush=True,
        )


def outcome(bomb: bytes) -> str:
    """Return the error that a bomb causes, or `ingested`."""

    async def ingest_bomb() -> str:
        ingest = ingest_of(fleet_of())
        try:
            await ingest.ingest(FirehoseRequest("r-1", SOURCE, bomb, gzipped=True))
        except (EnvelopeError, TooManyNamesError) as error:
            return f"{type(error).__name__}: {error}"[:500]
        finally:
            ingest.close()
        return "ingested"

    return asyncio.run(ingest_bomb())


if __name__ == "__main__":
    main()
