"""The samples that a receiver has got after random points were written to the fleet in any order."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.fleet import Fleet
from monitor.push.pending_samples import LATE_MINUTES
from tests.monitor.fleet.fleets import NOW
from tests.monitor.push.pushed_fleets import ImmediateReceiver, Point, add_stream, points_of, write_usage

NAMES = ("a", "b")
FAMILIES = {"usage", "saturation", "zone", "limit", "utilization_ratio"}

# A write: series, whether the value is throttled demand, age in minutes at NOW - 1, value, whether to push
WRITES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.booleans(),
        st.integers(0, LATE_MINUTES - 2),
        st.integers(0, 2000),
        st.booleans(),
    ),
    max_size=30,
)


def pushed_points(
    writes: list[tuple[str, bool, int, int, bool]], receiver: ImmediateReceiver, restarts: bool
) -> list[tuple[str, Point]]:
    """Write points and then the minute NOW, push meanwhile and at the end, and return all pushed points."""
    series = {name: add_stream(receiver.fleet, name) for name in NAMES}
    points = []
    for name, of_throttling, age, value, is_pushed in writes:
        write_usage(receiver.fleet, series[name], {NOW - 1 - age: value}, of_throttling)
        if is_pushed:
            points += points_of(receiver.push())
            if restarts and receiver.saved:
                receiver.restart()
    for name in NAMES:
        write_usage(receiver.fleet, series[name], {NOW: 1})
        write_usage(receiver.fleet, series[name], {NOW: 0}, of_throttling=True)
    return points + points_of(receiver.push())


@given(WRITES, st.booleans())
def test_a_receiver_that_needs_samples_in_order_gets_each_minute_at_most_once_and_in_order(
    writes: list[tuple[str, bool, int, int, bool]], restarts: bool
) -> None:
    minutes_of_series = defaultdict(list)
    for family, (resource, minutes_ago, _) in pushed_points(writes, ImmediateReceiver(Fleet()), restarts):
        minutes_of_series[family, resource].append(-minutes_ago)
    for minutes in minutes_of_series.values():
        assert minutes == sorted(set(minutes))
        assert minutes[-1] == 0, "the newest minute is pushed"


@given(WRITES, st.booleans())
def test_a_receiver_that_accepts_samples_out_of_order_gets_the_same_values_as_a_new_receiver(
    writes: list[tuple[str, bool, int, int, bool]], restarts: bool
) -> None:
    fleet = Fleet()
    receiver = ImmediateReceiver(fleet, out_of_order=True)
    last_values = {
        (family, resource, minutes_ago): value
        for family, (resource, minutes_ago, value) in pushed_points(writes, receiver, restarts)
    }
    new_receiver = ImmediateReceiver(fleet)
    expected = {
        (family, resource, minutes_ago): value
        for family, (resource, minutes_ago, value) in points_of(new_receiver.push())
        if minutes_ago < LATE_MINUTES
    }
    assert {sample: last_values[sample] for sample in expected} == expected
    assert {family for family, _, _ in last_values} == FAMILIES
