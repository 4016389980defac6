"""A budget holds for any fleet, whoever spends, and whenever Headroom is restarted or reloaded."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.cost.prices import LIST_PRICES, PRICES
from monitor.planning.allowance import MAX_ADVANCE, MINUTES_PER_MONTH
from monitor.planning.budget import Billed, Budget
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import InMemorySpendingStore, SavedSpending

METRIC = LIST_PRICES.metric
HOUR = 3600.0
DOLLARS = 10.0  # a month: the advance is 10,000 metrics
TERMS = BudgetTerms(DOLLARS)


@dataclass
class Processes:
    """Headroom, one process after the other, each with the store of the one before it.

    now: monotonic seconds, and the wall clock but for `steps`. spent: dollars that AWS bills.
    """

    terms: BudgetTerms = TERMS
    store: InMemorySpendingStore = field(default_factory=InMemorySpendingStore)
    now: float = 0.0
    steps: float = 0.0
    spent: float = 0.0
    partitions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin a process that knows nothing but what is stored."""
        self.billed = dict[str, Billed]()
        self.budget = Budget(
            self.store,
            lambda: self.now,
            lambda: 1e9 + self.now + self.steps,
            lambda: self.billed,
            self.partitions,
        )
        self.budget.configure(self.terms)

    async def request(self, metrics: int, account: str = "a") -> int:
        """Request what is granted of these metrics, and return how many."""
        async with self.budget.granted(account, metrics) as granted:
            self.bill(Billed(granted), account)
        return granted

    def bill(self, more: Billed, account: str = "a") -> None:
        """Have AWS bill something."""
        before = self.billed.get(account, Billed())
        self.billed[account] = Billed(before.metrics + more.metrics, before.listings + more.listings)
        self.spent += more.dollars_since(Billed(), self.terms.prices["aws"])

    @property
    def earned(self) -> float:
        """The share of the budget that a month has earned by now."""
        return self.now / 60 / MINUTES_PER_MONTH * self.terms.dollars_per_month


# Of each step: minutes that pass, the metrics that a poll and others want, and what happens then.
Steps = st.lists(
    st.tuples(
        st.floats(0, 500),
        st.integers(0, 3000),
        st.integers(0, 3000),
        st.sampled_from(["poll", "restart", "reload", "killed"]),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(Steps)
def test_no_restart_at_any_time_exceeds_the_budget(steps: list[tuple[float, int, int, str]]) -> None:
    async def main() -> None:
        some = Processes()
        for minutes, polled, others, event in steps:
            some.now += minutes * 60
            await asyncio.gather(some.request(polled), some.request(others))
            if event == "restart":
                some.restart()
            elif event == "reload":
                some.budget.configure(some.terms)
            elif event == "killed":  # with a call under way
                async with some.budget.granted("a", polled) as granted:
                    some.spent += granted * METRIC
                    some.restart()
            assert some.spent <= some.earned + MAX_ADVANCE * DOLLARS + 3 * METRIC

    asyncio.run(main())


async def test_a_thousand_restarts_spend_what_one_process_may() -> None:
    some = Processes()
    for _ in range(1000):
        await some.request(100_000)
        some.restart()
    assert some.spent == pytest.approx(MAX_ADVANCE * DOLLARS, abs=2 * METRIC)


async def test_a_budget_is_earned_while_headroom_does_not_run() -> None:
    some = Processes()
    await some.request(100_000)
    some.now += 30 * 24 * HOUR
    some.restart()
    assert await some.request(100_000) == pytest.approx(MAX_ADVANCE * DOLLARS / METRIC, abs=1)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_step_of_the_clock_by_an_hour_earns_an_hour_at_most(step: float) -> None:
    some = Processes()
    await some.request(100_000)
    some.steps = step
    assert await some.request(100_000) == 0  # a running process has another clock
    some.restart()
    an_hour = DOLLARS / MINUTES_PER_MONTH * 60 / METRIC
    assert await some.request(100_000) == pytest.approx(max(step, 0) / HOUR * an_hour, abs=1)
    some.steps = 0
    some.restart()
    assert await some.request(100_000) <= 1


async def test_requests_before_a_reload_are_charged_exactly_once() -> None:
    some = Processes()
    assert await some.request(9_000) == 9_000
    some.budget.configure(some.terms)
    assert await some.request(100_000) == pytest.approx(1_000, abs=1)


async def test_listings_and_requests_without_a_reservation_are_charged() -> None:
    some = Processes()
    some.bill(Billed(metrics=4_000, listings=5_000))
    assert await some.request(100_000) == pytest.approx(1_000, abs=1)


async def test_prices_that_change_at_a_reload_hold_for_what_is_spent_from_then_on() -> None:
    some = Processes()
    some.bill(Billed(metrics=5_000))
    some.terms = BudgetTerms(DOLLARS, False, {"aws": replace(LIST_PRICES, metric=METRIC / 2)})
    some.budget.configure(some.terms)
    assert await some.request(100_000) == pytest.approx(10_000, abs=1)
    assert some.spent == pytest.approx(MAX_ADVANCE * DOLLARS)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_lower_budget_is_not_held_up_by_what_a_higher_one_allowed(restarted: bool) -> None:
    some = Processes(BudgetTerms(200))
    await some.request(10**6)
    some.terms = BudgetTerms(20)
    some.restart() if restarted else some.budget.configure(some.terms)
    assert await some.request(10**6) <= 1
    some.now += 24 * HOUR
    assert await some.request(10**6) == pytest.approx(MAX_ADVANCE * 20 / METRIC, abs=1)


@pytest.mark.parametrize(("each_account", "available"), [(True, 10_000), (False, 9_000)])
async def test_accounts_share_a_budget_unless_each_has_its_own(each_account: bool, available: int) -> None:
    some = Processes(BudgetTerms(DOLLARS, each_account))
    await some.request(1_000, "b")
    assert await some.request(10**9) == pytest.approx(available, abs=1)


@pytest.mark.parametrize("each_account", [True, False])
async def test_no_change_from_one_budget_to_one_for_each_account_gives_an_advance_anew(
    each_account: bool,
) -> None:
    some = Processes(BudgetTerms(DOLLARS, each_account))
    await some.request(100_000)
    some.terms = BudgetTerms(DOLLARS, not each_account)
    some.budget.configure(some.terms)
    assert await some.request(100_000) <= 1
    some.restart()
    assert await some.request(100_000) <= 1


async def test_partitions_that_are_not_billed_in_dollars_are_neither_charged_nor_limited() -> None:
    some = Processes()
    some.partitions |= {"china": "aws-cn", "gov": "aws-us-gov"}
    some.bill(Billed(metrics=10**9), "china")
    assert await some.request(10**6, "gov") == 10**6
    assert not some.budget.covers("china") and not some.budget.covers("gov") and some.budget.covers("a")
    assert await some.request(10**6) == pytest.approx(MAX_ADVANCE * DOLLARS / METRIC, abs=1)


async def test_each_account_is_charged_the_prices_of_its_partition() -> None:
    dearer = replace(LIST_PRICES, metric=2 * METRIC)
    some = Processes(BudgetTerms(DOLLARS, prices={**PRICES, "aws-us-gov": dearer}))
    some.partitions["gov"] = "aws-us-gov"
    some.bill(Billed(metrics=2_500), "gov")
    some.bill(Billed(metrics=3_000), "a")
    assert await some.request(10**6, "gov") == pytest.approx(1_000, abs=1)


async def test_a_grant_is_stored_before_it_is_spent_and_many_are_stored_together() -> None:
    class SlowStore(InMemorySpendingStore):
        """A store that writes when it is told to."""

        def __init__(self) -> None:
            super().__init__()
            self.may_write, self.writes = asyncio.Event(), 0

        async def save_spending(self, saved: SavedSpending) -> None:
            self.writes += 1
            await self.may_write.wait()
            await super().save_spending(saved)

    some = Processes(store=SlowStore())
    assert isinstance(some.store, SlowStore)
    polls = [asyncio.create_task(some.request(10)) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert some.spent == 0
    some.store.may_write.set()
    assert sum(await asyncio.gather(*polls)) == 500
    assert some.store.writes <= 2
    assert some.store.spending()[""].dollars == pytest.approx(500 * METRIC)
