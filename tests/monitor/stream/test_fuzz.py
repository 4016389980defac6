"""Random input: the decoders raise no exception, and every response conforms to the protocol.

`HEADROOM_FUZZ=100000 pytest tests/monitor/stream/test_fuzz.py` tries more inputs.
"""

import gzip
import os
from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitor.fleet.fleet import Fleet
from monitor.stream.decode import decode_records
from monitor.stream.firehose import FIREHOSE_PATH, firehose_router
from monitor.stream.firehose_access import FirehoseAccess
from monitor.stream.ingest import Ingest
from monitor.stream.interner import NameInterner
from tests.monitor.stream.bodies import Update, delivery, envelope, line, lines, message
from tests.monitor.stream.bombs import SMALL_RECORDS
from tests.monitor.stream.endpoint import KEYS, check_reply, headers_of
from tests.monitor.stream.fleets import fleet_of, incoming_bytes, ingest_of, value

NUMBERS = count()
# The characters that a header may contain
HEADER_CHARACTERS = st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")
EXAMPLES = int(os.environ.get("HEADROOM_FUZZ", "1000"))  # inputs for each of the two tests
UPDATES = [
    Update(),
    Update(metric="GetRecords.Success", unit="Count", percentiles=((0.9, 3.0),)),
    Update(minutes_ago=3),
]
SEEDS = [
    *SMALL_RECORDS,
    lines(UPDATES),
    message(UPDATES),
    message(UPDATES, old=True),
    lines(UPDATES) + message(UPDATES),
]
BODIES = [
    envelope(SEEDS),
    envelope([SEEDS[-1]]),
    envelope([]),
    gzip.compress(envelope(SEEDS)),
    gzip.compress(envelope(SEEDS)) * 3,
    b'{"requestId":"r-1","records":[' + b"{}," * 100 + b"{}]}",
    b'{"requestId":"r-1",' * 50 + b'"records":[]}',
]

places = st.floats(0, 1, exclude_max=True)
new_pieces = st.one_of(
    st.binary(max_size=4), st.sampled_from([b"\x80" * 9, b"{", b"}", b'"', b"\n", b"NaN", b"\\ud800"])
)
mutations = st.lists(st.tuples(places, st.integers(0, 20), new_pieces), max_size=6)


def mutate(seed: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """Return the seed with some pieces replaced. changes: place (a share of the length), size, new piece."""
    for place, size, piece in changes:
        start = int(place * len(seed))
        seed = seed[:start] + piece + seed[start + size :]
    return seed


def record_of(source: bytes | tuple[bytes, list[tuple[float, int, bytes]]]) -> bytes:
    """Return a record: the bytes as they are, or a mutated seed."""
    return source if isinstance(source, bytes) else mutate(*source)


records = st.one_of(st.binary(max_size=200), st.tuples(st.sampled_from(SEEDS), mutations)).map(record_of)
bodies = st.one_of(
    st.binary(max_size=100),
    st.tuples(st.sampled_from(BODIES), mutations).map(lambda seed_and_changes: mutate(*seed_and_changes)),
    st.lists(records, max_size=4).map(envelope),
)
fuzz_settings = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


@fuzz_settings
@given(st.lists(records, max_size=4))
def test_decoders_turn_every_record_into_points_or_errors_and_never_raise(record_list: list[bytes]) -> None:
    names = NameInterner()
    points, any_valid = decode_records(record_list, names)
    numbers, times, values = points.columns()
    assert points.count == numbers.size == times.size == values.shape[1]
    assert any_valid or points.error_counts or not record_list
    assert all(0 <= number < len(names.by_number) for number in numbers.tolist())
    for name in names.by_number:
        "".join([*name[:4], *(text for pair in name.dimensions for text in pair), name.unit]).encode()


headers = st.fixed_dictionaries(
    {},
    optional={
        "content-encoding": st.sampled_from(["gzip", "identity", "br", "GZIP"]),
        "x-amz-firehose-access-key": st.sampled_from(["wrong", "", "\xff"]),
        "x-amz-firehose-request-id": st.one_of(st.just("r-2"), st.text(HEADER_CHARACTERS, max_size=20)),
        "x-amz-firehose-protocol-version": st.sampled_from(["1.0", "2.0", ""]),
        "x-amz-firehose-source-arn": st.text(HEADER_CHARACTERS, max_size=20),
    },
)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return fleet_of()


@pytest.fixture(scope="module")
def ingest(fleet: Fleet) -> Iterator[Ingest]:
    """Yield one ingest for all inputs, so that each input meets the state that the earlier ones left."""
    shared_ingest = ingest_of(fleet)
    yield shared_ingest
    shared_ingest.close()


@pytest.fixture(scope="module")
def transport(ingest: Ingest) -> httpx.ASGITransport:
    """Return an HTTP transport to the endpoint of the ingest."""
    app = FastAPI()
    app.include_router(firehose_router(ingest, lambda: FirehoseAccess(KEYS)))
    return httpx.ASGITransport(app)


@fuzz_settings
@example(b"{" * 30_000, {})
@given(bodies, headers)
async def test_every_response_conforms_to_the_protocol_and_later_deliveries_are_ingested(
    fleet: Fleet, ingest: Ingest, transport: httpx.ASGITransport, body: bytes, changes: dict[str, str]
) -> None:
    all_headers = {name.lower(): text for name, text in headers_of("r-1").items()} | changes
    encoded = [(name.encode(), text.encode("latin-1")) for name, text in all_headers.items()]
    async with httpx.AsyncClient(transport=transport, base_url="http://headroom") as client:
        answer = await client.post(FIREHOSE_PATH, content=body, headers=encoded)
    assert answer.status_code in (200, 400, 401)
    check_reply(answer, answer.status_code, all_headers["x-amz-firehose-request-id"])
    assert ingest.budget.used == 0
    number = next(NUMBERS)
    await ingest.ingest(delivery(line(UPDATES[0].but(sum=number)), request=f"good-{number}"))
    assert value(fleet, incoming_bytes.of(StreamName="orders")) == number
