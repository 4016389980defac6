"""However points are split over bodies, records and formats, ordered and repeated: the fleet is the same."""

import random
from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from tests.monitor.stream.bodies import Update, delivery, lines, message
from tests.monitor.stream.fleets import METRICS, MINUTE, fleet_of, ingest_of

COLUMNS = ("window_end", "newest_point", "latest_minute", "latest_value", "recent_max", "by_stream")

FORMS: list[Callable[[Sequence[Update]], bytes]] = [lines, message, lambda some: message(some, old=True)]

metrics = st.sampled_from([(one.namespace, one.name, one.dimensions) for one in METRICS])
counts = st.integers(1, 2**40)
numbers = st.floats(0, 1e12, allow_subnormal=False)
updates = st.builds(
    lambda metric, ago, count, **values: Update(
        namespace=metric[0],
        metric=metric[1],
        dimensions=metric[2],
        ago=ago,
        count=count,
        unit="None",
        **values,
    ),
    metrics,
    st.one_of(st.integers(-3, 6), st.integers(150, 185)),
    counts,
    sum=numbers,
    max=numbers,
    min=numbers,
)
points = st.lists(
    updates, min_size=1, max_size=25, unique_by=lambda one: (one.metric, one.dimensions, one.ago)
)


async def streamed(bodies: list[tuple[list[bytes], bool]]) -> Fleet:
    """Return a fleet that got these bodies, judged."""
    fleet = fleet_of()
    ingest = ingest_of(fleet)
    for n, (records, zipped) in enumerate(bodies):
        await ingest.ingest(delivery(*records, request=str(n), zipped=zipped))
    ingest.close()
    judge(fleet, MINUTE)
    return fleet


def split(some: list[Update], chance: random.Random) -> list[tuple[list[bytes], bool]]:
    """The updates in any order, some of them again, packed in any way."""
    again = [one for one in some if chance.random() < 0.3]
    mixed = chance.sample(some + again, len(some) + len(again))
    bodies = list[tuple[list[bytes], bool]]()
    while mixed:
        records = []
        for _ in range(chance.randint(1, 3)):
            part, mixed = mixed[: (size := chance.randint(1, 8))], mixed[size:]
            encode = chance.choice(FORMS)
            records.append(encode(part) if part else b"")
        bodies.append((records, chance.random() < 0.5))
    return bodies


@settings(max_examples=150)
@given(points, st.randoms(use_true_random=False))
async def test_any_split_of_updates_into_requests_yields_the_same_fleet(
    some: list[Update], chance: random.Random
) -> None:
    whole, parts = await streamed([([lines(some)], False)]), await streamed(split(some, chance))
    size = whole.rings.size
    for column in COLUMNS:
        np.testing.assert_array_equal(
            getattr(whole.rings, column)[:size], getattr(parts.rings, column)[:size]
        )
    rows = np.arange(size, dtype=np.int32).repeat(200)
    minutes = np.tile(np.arange(MINUTE - 190, MINUTE + 10, dtype=np.int32), size)
    np.testing.assert_array_equal(whole.rings.at(rows, minutes), parts.rings.at(rows, minutes))
    for column in ("zone", "minute", "usage"):
        np.testing.assert_array_equal(
            getattr(whole, column)[: whole.size], getattr(parts, column)[: whole.size]
        )
