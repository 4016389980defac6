"""Whatever comes: no exception out of the decoders, and no answer but those of the protocol."""

import gzip
import os

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitor.stream.envelope import Refused
from monitor.stream.ingest import Delivery, Ingest
from monitor.stream.names import Names
from monitor.stream.records import points_of
from tests.monitor.stream.bodies import SOURCE, Update, delivery, envelope, lines, message
from tests.monitor.stream.fleets import fleet_of, ingest_of

EXAMPLES = int(os.environ.get("HEADROOM_FUZZ", "1000"))  # inputs for each of the two tests
UPDATES = [
    Update(),
    Update(metric="GetRecords.Success", unit="Count", percentiles=((0.9, 3.0),)),
    Update(ago=3),
]
SEEDS = [lines(UPDATES), message(UPDATES), message(UPDATES, old=True), lines(UPDATES) + message(UPDATES)]
BODIES = [envelope(SEEDS), envelope([SEEDS[0]]), envelope([]), gzip.compress(envelope(SEEDS))]

places = st.floats(0, 1, exclude_max=True)
inserted = st.one_of(
    st.binary(max_size=4), st.sampled_from([b"\x80" * 9, b"{", b"}", b'"', b"\n", b"NaN", b"\\ud800"])
)
mutations = st.lists(st.tuples(places, st.integers(0, 20), inserted), max_size=6)


def mutated(seed: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """The seed with some pieces of it replaced."""
    for where, size, piece in changes:
        at = int(where * len(seed))
        seed = seed[:at] + piece + seed[at + size :]
    return seed


def record_of(source: bytes | tuple[bytes, list[tuple[float, int, bytes]]]) -> bytes:
    return source if isinstance(source, bytes) else mutated(*source)


records = st.one_of(st.binary(max_size=200), st.tuples(st.sampled_from(SEEDS), mutations)).map(record_of)
bodies = st.one_of(
    st.binary(max_size=100),
    st.tuples(st.sampled_from(BODIES), mutations).map(lambda one: mutated(*one)),
    st.lists(records, max_size=4).map(envelope),
)
quick = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(st.lists(records, max_size=4))
def test_decoders_never_raise_and_every_record_is_points_or_bad_pieces(some: list[bytes]) -> None:
    names = Names()
    points, good = points_of(some, names)
    given_, times, values = points.columns()
    assert points.count == given_.size == times.size == values.shape[1]
    assert good or points.bad or not some
    assert all(0 <= number < len(names.all) for number in given_.tolist())
    for name in names.all:
        "".join([*name[:4], *(text for pair in name.dimensions for text in pair), name.unit]).encode()


async def answered(ingest: Ingest, body: bytes, zipped: bool) -> bool:
    try:
        await ingest.take(Delivery("r-1", SOURCE, body, zipped))
    except Refused:
        return False
    return True


@quick
@example(b"{" * 30_000, False)
@given(bodies, st.booleans())
async def test_a_body_is_taken_or_refused(body: bytes, zipped: bool) -> None:
    ingest = ingest_of(fleet_of())
    await answered(ingest, body, zipped)
    await ingest.take(delivery(SEEDS[0], request="2"))  # and what comes after it is taken
    ingest.close()
