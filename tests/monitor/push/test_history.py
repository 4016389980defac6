"""The samples that a receiver has in the end, whatever points arrive in whatever order."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.fleet import Fleet
from monitor.push.pending_samples import LATE_MINUTES
from tests.monitor.fleet.fleets import NOW
from tests.monitor.push.receiver import ImmediateReceiver, Point, add_stream, points_of, write_usage

NAMES = ("a", "b")
FAMILIES = {"usage", "saturation", "zone", "limit", "utilization_ratio"}

# series, whether it is throttling, minute before the newest, value, whether to push after it
writes = st.lists(
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
    some: list[tuple[str, bool, int, int, bool]], pushed: ImmediateReceiver, restarts: bool
) -> list[tuple[str, Point]]:
    """All that is pushed while these are written, and of one newer minute at the end."""
    series = {name: add_stream(pushed.fleet, name) for name in NAMES}
    found = []
    for name, throttled, ago, value, push in some:
        write_usage(pushed.fleet, series[name], {NOW - 1 - ago: value}, throttled)
        if push:
            found += points_of(pushed.push())
            if restarts and pushed.saved:
                pushed.restart()
    for name in NAMES:
        write_usage(pushed.fleet, series[name], {NOW: 1})
        write_usage(pushed.fleet, series[name], {NOW: 0}, True)
    return found + points_of(pushed.push())


@given(writes, st.booleans())
def test_pushes_in_order_send_each_minute_at_most_once_and_in_order(
    some: list[tuple[str, bool, int, int, bool]], restarts: bool
) -> None:
    by_family = defaultdict(list)
    for family, (resource, ago, _) in pushed_points(some, ImmediateReceiver(Fleet()), restarts):
        by_family[family, resource].append(-ago)
    for minutes in by_family.values():
        assert minutes == sorted(set(minutes))
        assert minutes[-1] == 0, "the newest is there"


@given(writes, st.booleans())
def test_pushes_out_of_order_end_with_the_same_samples_as_a_new_receiver(
    some: list[tuple[str, bool, int, int, bool]], restarts: bool
) -> None:
    fleet = Fleet()
    pushed = ImmediateReceiver(fleet, out_of_order=True)
    last = {
        (family, resource, ago): value
        for family, (resource, ago, value) in pushed_points(some, pushed, restarts)
    }
    fresh = points_of(ImmediateReceiver(fleet).push())
    wanted = {
        (family, resource, ago): value for family, (resource, ago, value) in fresh if ago < LATE_MINUTES
    }
    assert {sample: last[sample] for sample in wanted} == wanted
    assert {family for family, _, _ in last} == FAMILIES
