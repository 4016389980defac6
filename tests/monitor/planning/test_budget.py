"""A budget holds for any fleet, whoever spends, and whenever Headroom is restarted or reloaded."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.cost.prices import LIST_PRICES, MINUTES_PER_MONTH, PRICES
from monitor.planning.allowance import MAX_ADVANCE
from monitor.planning.budget import BilledAmounts, Budget
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import InMemorySpendingStore, SavedSpending

METRIC_PRICE = LIST_PRICES.metric
HOUR = 3600.0  # seconds
DOLLARS = 10.0  # a month; the advance pays for 10,000 metrics
TERMS = BudgetTerms(DOLLARS)


@dataclass
class Processes:
    """Successive processes of Headroom, which share a store.

    now: monotonic seconds. clock_step: seconds by which the wall clock was set forward. spent: the dollars
    that AWS has billed.
    """

    terms: BudgetTerms = TERMS
    store: InMemorySpendingStore = field(default_factory=InMemorySpendingStore)
    now: float = 0.0
    clock_step: float = 0.0
    spent: float = 0.0
    partitions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start a process that knows only the stored spending."""
        self.billed = dict[str, BilledAmounts]()
        self.budget = Budget(
            self.store,
            lambda: self.now,
            lambda: 1e9 + self.now + self.clock_step,
            lambda: self.billed,
            self.partitions,
        )
        self.budget.configure(self.terms)

    async def request(self, metrics: int, account: str = "a") -> int:
        """Request as many of these metrics as are granted, and return their number."""
        async with self.budget.grant(account, metrics) as granted:
            self.bill(BilledAmounts(granted), account)
        return granted

    def bill(self, added: BilledAmounts, account: str = "a") -> None:
        """Have AWS bill more metrics and listings."""
        before = self.billed.get(account, BilledAmounts())
        self.billed[account] = BilledAmounts(before.metrics + added.metrics, before.listings + added.listings)
        self.spent += added.dollars_since(BilledAmounts(), self.terms.prices["aws"])

    @property
    def earned(self) -> float:
        """The dollars that the budget has earned by now."""
        return self.now / 60 / MINUTES_PER_MONTH * self.terms.dollars_per_month


# A step: the minutes that pass, the metrics that a poll requests, the metrics that others request, an event.
Steps = st.lists(
    st.tuples(
        st.floats(0, 500),
        st.integers(0, 3000),
        st.integers(0, 3000),
        st.sampled_from(["none", "restart", "reload", "kill"]),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(Steps)
def test_the_budget_is_kept_though_processes_restart_and_reload_at_any_time(
    steps: list[tuple[float, int, int, str]],
) -> None:
    async def main() -> None:
        processes = Processes()
        for minutes, polled_metrics, other_metrics, event in steps:
            processes.now += minutes * 60
            await asyncio.gather(processes.request(polled_metrics), processes.request(other_metrics))
            if event == "restart":
                processes.restart()
            elif event == "reload":
                processes.budget.configure(processes.terms)
            elif event == "kill":  # while a call is under way
                async with processes.budget.grant("a", polled_metrics) as granted:
                    processes.spent += granted * METRIC_PRICE
                    processes.restart()
            assert processes.spent <= processes.earned + MAX_ADVANCE * DOLLARS + 3 * METRIC_PRICE

    asyncio.run(main())


async def test_a_thousand_restarts_spend_no_more_than_one_process() -> None:
    processes = Processes()
    for _ in range(1000):
        await processes.request(100_000)
        processes.restart()
    assert processes.spent == pytest.approx(MAX_ADVANCE * DOLLARS, abs=2 * METRIC_PRICE)


async def test_a_budget_is_earned_while_headroom_does_not_run() -> None:
    processes = Processes()
    await processes.request(100_000)
    processes.now += 30 * 24 * HOUR
    processes.restart()
    assert await processes.request(100_000) == pytest.approx(MAX_ADVANCE * DOLLARS / METRIC_PRICE, abs=1)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_step_of_the_clock_by_an_hour_earns_an_hour_at_most(step: float) -> None:
    processes = Processes()
    await processes.request(100_000)
    processes.clock_step = step
    assert await processes.request(100_000) == 0  # a running process uses the monotonic clock
    processes.restart()
    metrics_an_hour = DOLLARS / MINUTES_PER_MONTH * 60 / METRIC_PRICE
    assert await processes.request(100_000) == pytest.approx(max(step, 0) / HOUR * metrics_an_hour, abs=1)
    processes.clock_step = 0
    processes.restart()
    assert await processes.request(100_000) <= 1


async def test_requests_before_a_reload_are_charged_exactly_once() -> None:
    processes = Processes()
    assert await processes.request(9_000) == 9_000
    processes.budget.configure(processes.terms)
    assert await processes.request(100_000) == pytest.approx(1_000, abs=1)


async def test_listings_and_requests_without_a_reservation_are_charged() -> None:
    processes = Processes()
    processes.bill(BilledAmounts(metrics=4_000, listings=5_000))
    assert await processes.request(100_000) == pytest.approx(1_000, abs=1)


async def test_prices_that_change_at_a_reload_apply_to_later_requests() -> None:
    processes = Processes()
    processes.bill(BilledAmounts(metrics=5_000))
    processes.terms = BudgetTerms(DOLLARS, False, {"aws": replace(LIST_PRICES, metric=METRIC_PRICE / 2)})
    processes.budget.configure(processes.terms)
    assert await processes.request(100_000) == pytest.approx(10_000, abs=1)
    assert processes.spent == pytest.approx(MAX_ADVANCE * DOLLARS)


@pytest.mark.parametrize("restarted", [False, True])
async def test_after_a_budget_was_lowered_at_most_the_advance_of_the_new_budget_must_be_earned_first(
    restarted: bool,
) -> None:
    processes = Processes(BudgetTerms(200))
    await processes.request(10**6)
    processes.terms = BudgetTerms(20)
    processes.restart() if restarted else processes.budget.configure(processes.terms)
    assert await processes.request(10**6) <= 1
    processes.now += 24 * HOUR
    assert await processes.request(10**6) == pytest.approx(MAX_ADVANCE * 20 / METRIC_PRICE, abs=1)


@pytest.mark.parametrize(("each_account", "available_metrics"), [(True, 10_000), (False, 9_000)])
async def test_accounts_share_a_budget_unless_each_has_its_own(
    each_account: bool, available_metrics: int
) -> None:
    processes = Processes(BudgetTerms(DOLLARS, each_account))
    await processes.request(1_000, "b")
    assert await processes.request(10**9) == pytest.approx(available_metrics, abs=1)


@pytest.mark.parametrize("each_account", [True, False])
async def test_a_change_between_a_shared_budget_and_a_budget_for_each_account_gives_no_new_advance(
    each_account: bool,
) -> None:
    processes = Processes(BudgetTerms(DOLLARS, each_account))
    await processes.request(100_000)
    processes.terms = BudgetTerms(DOLLARS, not each_account)
    processes.budget.configure(processes.terms)
    assert await processes.request(100_000) <= 1
    processes.restart()
    assert await processes.request(100_000) <= 1


async def test_accounts_that_are_not_billed_in_dollars_are_neither_charged_nor_limited() -> None:
    processes = Processes()
    processes.partitions |= {"china": "aws-cn", "gov": "aws-us-gov"}
    processes.bill(BilledAmounts(metrics=10**9), "china")
    assert await processes.request(10**6, "gov") == 10**6
    assert (
        not processes.budget.covers("china")
        and not processes.budget.covers("gov")
        and processes.budget.covers("a")
    )
    assert await processes.request(10**6) == pytest.approx(MAX_ADVANCE * DOLLARS / METRIC_PRICE, abs=1)


async def test_each_account_is_charged_the_prices_of_its_partition() -> None:
    dearer = replace(LIST_PRICES, metric=2 * METRIC_PRICE)
    processes = Processes(BudgetTerms(DOLLARS, prices={**PRICES, "aws-us-gov": dearer}))
    processes.partitions["gov"] = "aws-us-gov"
    processes.bill(BilledAmounts(metrics=2_500), "gov")
    processes.bill(BilledAmounts(metrics=3_000), "a")
    assert await processes.request(10**6, "gov") == pytest.approx(1_000, abs=1)


async def test_a_grant_is_stored_before_it_is_spent_and_many_grants_are_stored_together() -> None:
    class SlowStore(InMemorySpendingStore):
        """A store that writes once `may_write` is set."""

        def __init__(self) -> None:
            super().__init__()
            self.may_write, self.writes = asyncio.Event(), 0

        async def save_spending(self, saved: SavedSpending) -> None:
            self.writes += 1
            await self.may_write.wait()
            await super().save_spending(saved)

    processes = Processes(store=SlowStore())
    assert isinstance(processes.store, SlowStore)
    polls = [asyncio.create_task(processes.request(10)) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert processes.spent == 0
    processes.store.may_write.set()
    assert sum(await asyncio.gather(*polls)) == 500
    assert processes.store.writes <= 2
    assert processes.store.spending()[""].dollars == pytest.approx(500 * METRIC_PRICE)
