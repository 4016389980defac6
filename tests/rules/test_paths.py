"""The capacity of a path: its weakest limit decides, and after that limit is raised, the next weakest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.path_order import order_of
from rules.paths import (
    HopFlow,
    LimitUse,
    capacities,
    visits_of,
    weakest_first,
)

NAN = float("nan")
amounts = st.floats(0, 1e6)
used_amounts = st.floats(1e-3, 1e3)
limits = st.lists(st.tuples(amounts, amounts, used_amounts), min_size=1, max_size=12)


def capacities_of(flow: float, rows: list[tuple[float, float, float]]) -> np.ndarray:
    """Return the capacity of each limit. rows: the usage, the limit, and what a request uses of it."""
    usage, limit, per_request = np.array(rows, np.float64).T
    return capacities(flow, usage, limit, per_request)


@given(flow=amounts, rows=limits)
def test_the_capacity_of_a_path_is_its_flow_plus_the_least_headroom_in_requests(
    flow: float, rows: list[tuple[float, float, float]]
) -> None:
    found = capacities_of(flow, rows)
    expected = min(max(flow + (limit - usage) / each, 0) for usage, limit, each in rows)
    assert found[weakest_first(found)[0]] == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(flow=amounts, rows=limits, factor=st.floats(1.1, 100))
def test_raising_the_weakest_limit_far_enough_makes_the_next_one_the_weakest(
    flow: float, rows: list[tuple[float, float, float]], factor: float
) -> None:
    before = capacities_of(flow, rows)
    order = weakest_first(before)
    usage, _, each = rows[order[0]]
    target = (before.max() - flow + 1) * factor
    changed_rows = [*rows]
    changed_rows[order[0]] = usage, usage + max(target, 1) * each, each
    after = weakest_first(capacities_of(flow, changed_rows))
    assert after[:-1] == order[1:]
    assert capacities_of(flow, changed_rows)[after[0]] >= before[order[0]] - 1e-6


@given(flow=amounts, rows=limits, index=st.integers(0, 11))
def test_a_higher_limit_never_makes_a_path_carry_less(
    flow: float, rows: list[tuple[float, float, float]], index: int
) -> None:
    before = capacities_of(flow, rows).min()
    usage, limit, each = rows[index % len(rows)]
    changed_rows = [*rows]
    changed_rows[index % len(rows)] = usage, limit + 1, each
    assert capacities_of(flow, changed_rows).min() >= before


def test_an_unknown_limit_has_an_unknown_capacity_and_an_unused_limit_an_infinite_one() -> None:
    found = capacities_of(10, [(5, 10, NAN), (NAN, 10, 1), (5, NAN, 1), (5, 10, 0), (5, 10, 1)])
    assert [str(capacity) for capacity in found] == ["nan", "nan", "nan", "inf", "15.0"]
    assert weakest_first(found) == [4]
    assert weakest_first(capacities_of(10, [(5, 10, NAN)])) == []


def test_hops_come_after_their_predecessors_and_else_in_the_order_of_the_file() -> None:
    branches = {"api": [], "fn": ["api"], "log": ["fn"], "table": ["fn"], "end": ["table", "log"]}
    assert order_of(branches) == (["api", "fn", "log", "table", "end"], [])
    assert order_of({"b": ["a"], "a": []}) == (["a", "b"], [])


def test_a_cycle_is_reported_in_the_direction_of_requests() -> None:
    order, cycle = order_of({"entrance": [], "a": ["entrance", "c"], "b": ["a"], "c": ["b"]})
    assert order == []
    assert cycle[0] == cycle[-1] and "->".join(cycle) in ("a->b->c->a", "b->c->a->b", "c->a->b->c")


def test_declared_visits_take_precedence_over_measured_visits_and_these_over_assumed_visits() -> None:
    found = visits_of(
        {
            "api": HopFlow(measured_rate=100),
            "fn": HopFlow(predecessors=["api"], measured_rate=50),
            "declared": HopFlow(predecessors=["fn"], per_request=3, measured_rate=70),
            "batched": HopFlow(predecessors=["declared"], per_unit=0.1, measured_rate=70),
            "key": HopFlow(predecessors=["fn"], assumed_per_unit=1),
            "table": HopFlow(predecessors=["fn"]),
            "after": HopFlow(predecessors=["table"], per_unit=2),
        }
    )
    assert found["api"] == (1, "entrance")
    assert found["fn"] == (0.5, "measured")
    assert found["declared"] == (3, "declared")
    assert found["batched"].number == pytest.approx(0.3) and found["batched"].basis == "declared"
    assert found["key"] == (0.5, "assumed")
    assert np.isnan(found["table"].number) and np.isnan(found["after"].number)


def test_the_units_of_several_predecessors_add_up() -> None:
    found = visits_of(
        {
            "api": HopFlow(measured_rate=100),
            "a": HopFlow(predecessors=["api"], measured_rate=50),
            "b": HopFlow(predecessors=["api"], measured_rate=20),
            "queue": HopFlow(predecessors=["a", "b"], per_unit=2),
        }
    )
    assert found["queue"].number == pytest.approx(1.4)


def test_without_requests_at_the_entrance_visits_are_unknown() -> None:
    for entrance_rate in (0.0, NAN):
        found = visits_of(
            {
                "api": HopFlow(measured_rate=entrance_rate),
                "fn": HopFlow(predecessors=["api"], measured_rate=5),
            }
        )
        assert np.isnan(found["fn"].number)


@pytest.mark.parametrize(
    ("use", "per_request"),
    [
        (LimitUse(visits=2, each=0.3), 0.6),  # Little's law: 2 invocations of 0.3 s
        (LimitUse(visits=2, each=0.3, ratio=0.9), 0.9),  # peaks within minutes
        (LimitUse(visits=2, each=0.3, ratio=0.5), 0.6),
        (LimitUse(visits=NAN, ratio=0.5), 0.5),  # a table, whose calls no metric counts
        # This path sends one of four units.
        (LimitUse(visits=1, is_shared=True, measured_per_request=4, ratio=2), 0.5),
        (LimitUse(visits=1, is_shared=True, measured_per_request=NAN, ratio=2), NAN),
        (LimitUse(visits=3, declared_each=2, each=5, ratio=7), 6),
        (LimitUse(visits=NAN, each=1), NAN),
    ],
)
def test_the_amount_of_a_limit_that_one_request_uses(use: LimitUse, per_request: float) -> None:
    assert use.per_request == pytest.approx(per_request, nan_ok=True)
