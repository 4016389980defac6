"""The configured budget: charges what is spent, grants what may be spent, and remembers it over restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from monitor.cost.prices import LIST_PRICES, PRICES, AccountPrices, Prices
from monitor.planning.allowance import MINUTES_PER_MONTH, Allowance, minimum_dollars
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import SavedSpending, SpendingStore


class Billed(NamedTuple):
    """The metrics of GetMetricData and calls of ListMetrics that AWS bills since the start, whoever asked."""

    metrics: int = 0
    listings: int = 0

    def dollars_since(self, before: "Billed", prices: Prices) -> float:
        """Return the dollars of what was billed since then."""
        return prices.amount(self.metrics - before.metrics, self.listings - before.listings) or 0.0


class AllowanceStatus(NamedTuple):
    """A budget in force. account: empty where all share one. minimum_dollars: a month of one request an hour.

    ahead_dollars: spent beyond what the budget has earned by now. advance_dollars: the most that may be spent
    so.
    """

    account: str
    dollars_per_month: float
    minimum_dollars: float
    ahead_dollars: float
    advance_dollars: float

    @property
    def is_too_small(self) -> bool:
        """True if more is spent, as each metric is requested once an hour at least."""
        return self.dollars_per_month < self.minimum_dollars


@dataclass(slots=True)
class _Account:
    """An allowance, what had been billed when it was charged last, and what the store knows of it.

    billed: by account. reservations: how many were made so far. saved: how many of them the store knows.
    """

    allowance: Allowance
    billed: Mapping[str, Billed]
    reservations: int = 0
    saved: int = 0
    saving: asyncio.Lock = field(default_factory=asyncio.Lock)


class Budget:
    """The allowances of a budget, which survive a reload and a restart.

    What is granted is stored before it is spent. So whenever a process ends, the next one knows all that was
    spent, and frequent restarts do not spend more than the budget.

    Accounts that are not billed in dollars, or at prices that are not known, are neither charged nor limited.

    store: what remembers. clock: returns monotonic seconds. wall_clock: returns epoch seconds. billed:
    returns all that was billed so far, by account. partitions: of accounts.
    """

    def __init__(
        self,
        store: SpendingStore,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        billed: Callable[[], Mapping[str, Billed]],
        partitions: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._store, self._clock, self._wall_clock, self._billed = store, clock, wall_clock, billed
        self._partitions = partitions
        self._terms: BudgetTerms | None = None
        self._before = dict[str, Billed]()  # what had been billed when the present allowances began
        self._accounts = dict[str, _Account]()

    @property
    def terms(self) -> BudgetTerms | None:
        """The configured budget; None: there is none."""
        return self._terms

    def configure(self, terms: BudgetTerms | None) -> None:
        """Apply a configuration from now on. What was spent is charged at the prices before."""
        before = self._terms
        if before:
            for name in {*self._billed()} if before.each_account else {""}:
                self._charge(name)
        self._terms = terms
        if terms is None or before is None or terms.each_account != before.each_account:
            self._inherit(terms)
        for name, one in self._accounts.items():
            if terms:
                one.allowance.change(terms.dollars_per_month, self._prices_for(name))

    def _inherit(self, terms: BudgetTerms | None) -> None:
        """Begin with other allowances; one for all accounts is as far ahead as theirs were together."""
        ahead = sum(one.allowance.ahead for one in self._accounts.values())
        had_any = bool(self._accounts)
        self._accounts.clear()
        self._before = dict(self._billed())
        if terms and had_any and not terms.each_account:
            self._open("").allowance.ahead = ahead

    def statuses(self) -> list[AllowanceStatus]:
        """Return the present state of each allowance; none without a budget."""
        if not self._terms:
            return []
        charged = {name: self._charge(name).allowance for name in sorted(self._accounts)}
        return [
            AllowanceStatus(
                name,
                one.dollars_per_month,
                minimum_dollars(one.polled, one.prices),
                one.ahead,
                one.max_ahead,
            )
            for name, one in charged.items()
        ]

    def allowance(self, account: str) -> Allowance:
        """Return the allowance of an account, which may be that of all, with what is available now."""
        return self._charge(self._name(account)).allowance

    def covers(self, account: str) -> bool:
        """Return whether the budget counts what an account pays."""
        return self._prices.in_dollars(account) is not None

    @asynccontextmanager
    async def granted(self, account: str, metrics: int) -> AsyncIterator[int]:
        """Reserve as many of these metrics as may be requested now, and yield their number.

        They are to be requested within the context, which ends the reservation.
        """
        if not self.covers(account):
            yield metrics
            return
        one = self._charge(self._name(account))
        number = one.allowance.reserve(metrics)
        one.reservations += 1
        try:
            if number:
                await self._save(self._name(account), one)
            yield number
        finally:
            self._charge(self._name(account))
            one.allowance.release(number)

    def _name(self, account: str) -> str:
        return account if self._terms and self._terms.each_account else ""

    def _charge(self, name: str) -> _Account:
        """Charge an allowance what was billed since the last time."""
        one = self._accounts.get(name) or self._open(name)
        billed = dict(_of(self._billed(), name))
        dollars = sum(
            now.dollars_since(one.billed.get(account, Billed()), prices)
            for account, now in billed.items()
            if (prices := self._prices.in_dollars(account))
        )
        one.allowance.charge(self._clock() / 60, dollars)
        one.billed = billed
        return one

    @property
    def _prices(self) -> AccountPrices:
        return AccountPrices(self._terms.prices if self._terms else PRICES, self._partitions)

    def _prices_for(self, name: str) -> Prices:
        """Return the prices that convert an allowance: the highest where several accounts share it."""
        if name:
            return self._prices.in_dollars(name) or LIST_PRICES
        shared = (prices for prices in self._prices.table.values() if prices.is_in_dollars)
        return max(shared, key=lambda prices: prices.metric, default=LIST_PRICES)

    def _open(self, name: str) -> _Account:
        """Begin an allowance, with what an earlier process or configuration left of it."""
        terms = self._terms or BudgetTerms(0.0)
        allowance = Allowance(terms.dollars_per_month, self._prices_for(name))
        allowance.minute = self._clock() / 60
        allowance.ahead = self._stored_ahead(name, allowance)
        self._accounts[name] = one = _Account(allowance, _of(self._before, name))
        return one

    def _stored_ahead(self, name: str, allowance: Allowance) -> float:
        """Return the stored dollars spent ahead: of the name, or else of the names that it replaces."""
        stored = self._store.spending()
        if name in stored:
            return self._faded(stored[name], allowance)
        replaced = [""] if name else [*stored]
        return sum(self._faded(stored[other], allowance) for other in replaced if other in stored)

    def _faded(self, saved: SavedSpending, allowance: Allowance) -> float:
        """Return how much of the stored dollars is still ahead, less what the budget has earned since."""
        minutes = max(self._wall_clock() - saved.at, 0.0) / 60  # a clock that was set back earns nothing
        left = max(saved.dollars - minutes * allowance.dollars_per_month / MINUTES_PER_MONTH, 0.0)
        return left if saved.budget == allowance.dollars_per_month else min(left, allowance.max_ahead)

    async def _save(self, name: str, one: _Account) -> None:
        """Store what an allowance has spent and reserved; one write holds the reservations of many."""
        wanted = one.reservations
        async with one.saving:
            if one.saved >= wanted:
                return
            reservations, allowance = one.reservations, one.allowance
            dollars = allowance.ahead + allowance.reserved
            saved = SavedSpending(name, dollars, self._wall_clock(), allowance.dollars_per_month)
            await self._store.save_spending(saved)
            one.saved = reservations


def _of(billed: Mapping[str, Billed], name: str) -> Mapping[str, Billed]:
    """Return what was billed to an account, or to all where the name is empty."""
    return {name: billed.get(name, Billed())} if name else billed
