"""The fleet is the same however updates are ordered, repeated, encoded, and split into records and bodies."""

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

FORMS: list[Callable[[Sequence[Update]], bytes]] = [
    lines,
    message,
    lambda updates: message(updates, old=True),
]

metrics = st.sampled_from([(metric.namespace, metric.name, metric.dimensions) for metric in METRICS])
counts = st.integers(1, 2**40)
numbers = st.floats(0, 1e12, allow_subnormal=False)
any_update = st.builds(
    lambda metric, minutes_ago, count, **values: Update(
        namespace=metric[0],
        metric=metric[1],
        dimensions=metric[2],
        minutes_ago=minutes_ago,
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
update_lists = st.lists(
    any_update,
    min_size=1,
    max_size=25,
    unique_by=lambda update: (update.metric, update.dimensions, update.minutes_ago),
)


async def fleet_after(bodies: list[tuple[list[bytes], bool]]) -> Fleet:
    """Return a judged fleet that ingested these bodies. bodies: records, and whether the body is gzipped."""
    fleet = fleet_of()
    ingest = ingest_of(fleet)
    for n, (records, is_gzipped) in enumerate(bodies):
        await ingest.ingest(delivery(*records, request=str(n), gzipped=is_gzipped))
    ingest.close()
    judge(fleet, MINUTE)
    return fleet


def random_bodies(updates: list[Update], generator: random.Random) -> list[tuple[list[bytes], bool]]:
    """Return updates as bodies of records: in random order, some of the updates twice, in random formats."""
    repeated = [update for update in updates if generator.random() < 0.3]
    remaining = generator.sample(updates + repeated, len(updates) + len(repeated))
    bodies = list[tuple[list[bytes], bool]]()
    while remaining:
        records = []
        for _ in range(generator.randint(1, 3)):
            size = generator.randint(1, 8)
            record_updates, remaining = remaining[:size], remaining[size:]
            encode = generator.choice(FORMS)
            records.append(encode(record_updates) if record_updates else b"")
        bodies.append((records, generator.random() < 0.5))
    return bodies


@settings(max_examples=150)
@given(update_lists, st.randoms(use_true_random=False))
async def test_any_split_of_updates_into_requests_yields_the_same_fleet(
    updates: list[Update], generator: random.Random
) -> None:
    from_one_body = await fleet_after([([lines(updates)], False)])
    from_split = await fleet_after(random_bodies(updates, generator))
    size = from_one_body.rings.size
    for column in COLUMNS:
        np.testing.assert_array_equal(
            getattr(from_one_body.rings, column)[:size], getattr(from_split.rings, column)[:size]
        )
    rows = np.arange(size, dtype=np.int32).repeat(200)
    minutes = np.tile(np.arange(MINUTE - 190, MINUTE + 10, dtype=np.int32), size)
    np.testing.assert_array_equal(from_one_body.rings.at(rows, minutes), from_split.rings.at(rows, minutes))
    for column in ("zone", "minute", "usage"):
        np.testing.assert_array_equal(
            getattr(from_one_body, column)[: from_one_body.size],
            getattr(from_split, column)[: from_one_body.size],
        )
