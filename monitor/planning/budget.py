"""The configured budget: charges the dollars that AWS bills, and grants requests; it survives restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from monitor.cost.prices import LIST_PRICES, MINUTES_PER_MONTH, PRICES, AccountPrices, Prices
from monitor.planning.allowance import Allowance, minimum_dollars
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import SavedSpending, SpendingStore


class BilledAmounts(NamedTuple):
    """The metrics of GetMetricData and calls of ListMetrics billed since the start, whoever made them."""

    metrics: int = 0
    listings: int = 0

    def dollars_since(self, before: "BilledAmounts", prices: Prices) -> float:
        """Return the dollars billed since `before`."""
        return prices.amount(self.metrics - before.metrics, self.listings - before.listings) or 0.0


class AllowanceStatus(NamedTuple):
    """The present state of an allowance.

    account: empty if all accounts share the budget. minimum_dollars: the cost of a month in which each metric
    is requested once an hour. ahead_dollars: the dollars spent beyond those that the allowance has
    earned by now; each minute it earns the same. max_ahead_dollars: the most that `ahead_dollars` may be.
    """

    account: str
    dollars_per_month: float
    minimum_dollars: float
    ahead_dollars: float
    max_ahead_dollars: float

    @property
    def is_too_small(self) -> bool:
        """True if requests for each metric once an hour, the fewest possible, cost more than the budget."""
        return self.dollars_per_month < self.minimum_dollars


@dataclass(slots=True)
class _Record:
    """An allowance, its last charge, and how many of its reservations are stored.

    billed: the amounts at the last charge, by account. reservation_count: the number of reservations so far.
    saved_count: how many of these the store includes. save_lock: locked while the store is written.
    """

    allowance: Allowance
    billed: Mapping[str, BilledAmounts]
    reservation_count: int = 0
    saved_count: int = 0
    save_lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Budget:
    """The allowances of a budget, which survive a reload and a restart.

    A grant is stored before it is spent. So whenever a process ends, the next one knows all that was spent,
    and frequent restarts do not spend more than the budget.

    Accounts that are not billed in dollars, or at prices that are not known, are neither charged nor limited.

    store: keeps the spending across restarts. clock: returns monotonic seconds. wall_clock: returns epoch
    seconds. billed: returns all amounts billed so far, by account. partitions: the AWS partition by account.
    """

    def __init__(
        self,
        store: SpendingStore,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        billed: Callable[[], Mapping[str, BilledAmounts]],
        partitions: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._store, self._clock, self._wall_clock, self._billed = store, clock, wall_clock, billed
        self._partitions = partitions
        self._terms: BudgetTerms | None = None
        self._billed_at_start = dict[
            str, BilledAmounts
        ]()  # the amounts billed when the present allowances began
        self._records = dict[str, _Record]()

    @property
    def terms(self) -> BudgetTerms | None:
        """The configured budget; None: there is none."""
        return self._terms

    def configure(self, terms: BudgetTerms | None) -> None:
        """Apply a budget from now on. Amounts billed up to now are charged at the former prices."""
        former_terms = self._terms
        if former_terms:
            for name in {*self._billed()} if former_terms.each_account else {""}:
                self._charge(name)
        self._terms = terms
        if terms is None or former_terms is None or terms.each_account != former_terms.each_account:
            self._replace_allowances(terms)
        for name, record in self._records.items():
            if terms:
                record.allowance.change(terms.dollars_per_month, self._prices_for(name))

    def _replace_allowances(self, terms: BudgetTerms | None) -> None:
        """Discard all allowances. A shared allowance begins with the sum of their `ahead_dollars`."""
        ahead_dollars = sum(record.allowance.ahead_dollars for record in self._records.values())
        had_allowances = bool(self._records)
        self._records.clear()
        self._billed_at_start = dict(self._billed())
        if terms and had_allowances and not terms.each_account:
            self._open("").allowance.ahead_dollars = ahead_dollars

    def statuses(self) -> list[AllowanceStatus]:
        """Return the present state of each allowance; none without a budget."""
        if not self._terms:
            return []
        allowances = {name: self._charge(name).allowance for name in sorted(self._records)}
        return [
            AllowanceStatus(
                name,
                allowance.dollars_per_month,
                minimum_dollars(allowance.polled_metric_count, allowance.prices),
                allowance.ahead_dollars,
                allowance.max_ahead_dollars,
            )
            for name, allowance in allowances.items()
        ]

    def allowance(self, account: str) -> Allowance:
        """Return the allowance of an account, which all accounts may share, charged up to now."""
        return self._charge(self._allowance_name(account)).allowance

    def covers(self, account: str) -> bool:
        """Return whether the budget counts what an account pays."""
        return self._prices.in_dollars(account) is not None

    @asynccontextmanager
    async def grant(self, account: str, metric_count: int) -> AsyncIterator[int]:
        """Reserve up to `metric_count` metrics, and yield how many may be requested now.

        Request the metrics within the context: its end releases the reservation.
        """
        if not self.covers(account):
            yield metric_count
            return
        record = self._charge(self._allowance_name(account))
        granted_count = record.allowance.reserve(metric_count)
        record.reservation_count += 1
        try:
            if granted_count:
                await self._save(self._allowance_name(account), record)
            yield granted_count
        finally:
            self._charge(self._allowance_name(account))
            record.allowance.release(granted_count)

    def _allowance_name(self, account: str) -> str:
        return account if self._terms and self._terms.each_account else ""

    def _charge(self, name: str) -> _Record:
        """Charge to an allowance the dollars billed since its last charge."""
        record = self._records.get(name) or self._open(name)
        billed = dict(_billed_to(name, self._billed()))
        dollars = sum(
            amount.dollars_since(record.billed.get(account, BilledAmounts()), prices)
            for account, amount in billed.items()
            if (prices := self._prices.in_dollars(account))
        )
        record.allowance.charge(self._clock() / 60, dollars)
        record.billed = billed
        return record

    @property
    def _prices(self) -> AccountPrices:
        return AccountPrices(self._terms.prices if self._terms else PRICES, self._partitions)

    def _prices_for(self, name: str) -> Prices:
        """Return the prices of an allowance; for the shared allowance, the highest of all partitions."""
        if name:
            return self._prices.in_dollars(name) or LIST_PRICES
        dollar_prices = (prices for prices in self._prices.table.values() if prices.is_in_dollars)
        return max(dollar_prices, key=lambda prices: prices.metric, default=LIST_PRICES)

    def _open(self, name: str) -> _Record:
        """Begin an allowance with the stored dollars spent ahead, which another process may have stored."""
        terms = self._terms or BudgetTerms(0.0)
        allowance = Allowance(terms.dollars_per_month, self._prices_for(name))
        allowance.charged_minute = self._clock() / 60
        allowance.ahead_dollars = self._stored_ahead_dollars(name, allowance)
        self._records[name] = record = _Record(allowance, _billed_to(name, self._billed_at_start))
        return record

    def _stored_ahead_dollars(self, name: str, allowance: Allowance) -> float:
        """Return the stored dollars spent ahead of an allowance.

        If none are stored under its name, the allowance of an account begins with those of the shared
        allowance, and the shared allowance with the sum of those of all accounts.
        """
        stored = self._store.spending()
        if name in stored:
            former_spendings = [stored[name]]
        elif name:
            former_spendings = [stored[""]] if "" in stored else []
        else:
            former_spendings = [*stored.values()]
        return sum(self._dollars_still_ahead(spending, allowance) for spending in former_spendings)

    def _dollars_still_ahead(self, saved: SavedSpending, allowance: Allowance) -> float:
        """Return the stored dollars less those earned since; at most the maximum of a new budget."""
        minutes = max(self._wall_clock() - saved.at, 0.0) / 60  # a clock that was set back earns nothing
        earned_dollars = minutes * allowance.dollars_per_month / MINUTES_PER_MONTH
        ahead_dollars = max(saved.dollars - earned_dollars, 0.0)
        is_same_budget = saved.budget == allowance.dollars_per_month
        return ahead_dollars if is_same_budget else min(ahead_dollars, allowance.max_ahead_dollars)

    async def _save(self, name: str, record: _Record) -> None:
        """Store the spent and reserved dollars of an allowance; a write stores all reservations so far."""
        own_number = record.reservation_count
        async with record.save_lock:
            if record.saved_count >= own_number:
                return
            reservation_count, allowance = record.reservation_count, record.allowance
            dollars = allowance.ahead_dollars + allowance.reserved_dollars
            saved = SavedSpending(name, dollars, self._wall_clock(), allowance.dollars_per_month)
            await self._store.save_spending(saved)
            record.saved_count = reservation_count


def _billed_to(name: str, billed: Mapping[str, BilledAmounts]) -> Mapping[str, BilledAmounts]:
    """Return the amount billed to an account, or the amounts of all accounts if the name is empty."""
    return {name: billed.get(name, BilledAmounts())} if name else billed
