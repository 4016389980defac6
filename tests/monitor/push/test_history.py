"""Whatever comes in whatever order: what a receiver ends up with."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet import Fleet
from monitor.push.gather import LATE
from tests.monitor.fleets import NOW
from tests.monitor.push.pushes import Point, Pushed, points, stream, use

NAMES = ("a", "b")
FAMILIES = {"usage", "saturation", "zone", "limit", "utilization_ratio"}

# series, whether it is refusals, minute before the newest, value; the last says whether to look after it
writes = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.booleans(), st.integers(0, LATE - 2), st.integers(0, 2000), st.booleans()
    ),
    max_size=30,
)


def told(
    some: list[tuple[str, bool, int, int, bool]], pushed: Pushed, restarts: bool
) -> list[tuple[str, Point]]:
    """All that is pushed while these are written, and of one newer minute at the end."""
    series = {name: stream(pushed.fleet, name) for name in NAMES}
    found = []
    for name, refused, ago, value, look in some:
        use(pushed.fleet, series[name], {NOW - 1 - ago: value}, refused)
        if look:
            found += points(pushed.look())
            if restarts and pushed.saved:
                pushed.restart()
    for name in NAMES:
        use(pushed.fleet, series[name], {NOW: 1})
        use(pushed.fleet, series[name], {NOW: 0}, True)
    return found + points(pushed.look())


@given(writes, st.booleans())
def test_in_order_every_minute_is_told_at_most_once_and_never_after_a_newer_one(
    some: list[tuple[str, bool, int, int, bool]], restarts: bool
) -> None:
    by_family = defaultdict(list)
    for family, (resource, ago, _) in told(some, Pushed(Fleet()), restarts):
        by_family[family, resource].append(-ago)
    for minutes in by_family.values():
        assert minutes == sorted(set(minutes))
        assert minutes[-1] == 0, "the newest is there"


@given(writes, st.booleans())
def test_out_of_order_a_receiver_ends_up_with_what_a_new_one_would_get(
    some: list[tuple[str, bool, int, int, bool]], restarts: bool
) -> None:
    fleet = Fleet()
    pushed = Pushed(fleet, out_of_order=True)
    last = {(family, resource, ago): value for family, (resource, ago, value) in told(some, pushed, restarts)}
    fresh = points(Pushed(fleet).look())
    wanted = {(family, resource, ago): value for family, (resource, ago, value) in fresh if ago < LATE}
    assert {place: last[place] for place in wanted} == wanted
    assert {family for family, _, _ in last} == FAMILIES
