"""Answers questions about a fleet: one at a time, in a thread, on copies of its data."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Final, Protocol

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.namespaces import NEVER
from monitor.fleet.snapshot import Snapshot
from monitor.what_if.answer import Action, Answer, Basis, NotAnswered, StressedSeries
from monitor.what_if.past_usage import PastUsage, PeakMoments
from monitor.what_if.query import WhatIfQuery
from monitor.what_if.question import AskedLimit, Question, parse_question
from monitor.what_if.recent_demand import recent_demand
from monitor.what_if.remedies import action_of, quotas_to_request, remedy_of, settable_limit
from monitor.what_if.selection import shares_of_path
from monitor.what_if.stressed_fleet import AnswerData, StressedFleet
from rules.analogs import BINS_PER_DAY
from rules.arrays import Indices
from rules.forecast import MIN_BINS
from rules.plurals import agreeing
from rules.right_size import target_utilization
from rules.signals import Service
from rules.units import UnitKind
from rules.what_if import needed_limit, share_of_limit

MAX_REQUESTS: Final = 200  # quotas to ask for, in one answer
MAX_REQUESTING: Final = 2000  # broken series from which the quotas to ask for are computed
MAX_LISTED: Final = 100  # series whose answer is unknown, or whose traffic nothing carries


PathShares = Mapping[str, Mapping[Key, float]]


class SnapshotOwner(Protocol):
    """The owner of the last copy of a fleet."""

    @property
    def snapshot(self) -> Snapshot:
        """The last copy."""
        ...


class WhatIf:
    """Answers questions about the series of a fleet.

    owner: has the last copy of the fleet. services: all known services, by name. past: the fleet's usage in
    the last fortnight. shares: returns, by request path and key of a series, the share of the usage that the
    requests of the path make.
    """

    def __init__(
        self,
        fleet: Fleet,
        owner: SnapshotOwner,
        services: Mapping[str, Service],
        past: PastUsage,
        shares: Callable[[], PathShares] = dict,
    ) -> None:
        self._fleet, self._owner, self._past, self._shares = fleet, owner, past, shares
        self._services = services
        self._signals = {
            (signal.service, signal.name): signal
            for service in services.values()
            for signal in service.signals.values()
        }
        self._lock = asyncio.Lock()  # one answer at a time: a million series take a second of a processor

    async def answer(self, query: WhatIfQuery) -> Answer:
        """Return the answer. Raises QuestionError where the question cannot be answered."""
        async with self._lock:
            snapshot = self._owner.snapshot
            regions = {group[1] for group in snapshot.groups}
            shares = self._shares() if query.path else {}
            question = parse_question(query, self._signals.values(), regions, shares)
            highest = await asyncio.to_thread(self._past.highest, snapshot.id)
            recent = await recent_demand(self._fleet, snapshot, highest)
            share = await asyncio.to_thread(shares_of_path, snapshot, shares.get(question.path))
            data = AnswerData(snapshot, self._past, highest, recent, share)
            return await asyncio.to_thread(self._answer, question, data, query.limit)

    def _answer(self, question: Question, data: AnswerData, limit: int) -> Answer:
        stressed_fleet = StressedFleet.of(question, data, self._services)
        actions = [
            action_of(self._signals[group[2:]]) if group[2:] in self._signals else Action.CHANGE
            for group in data.snapshot.groups
        ]
        return _AnswerBuilder(stressed_fleet, question, data, actions).answer(limit)


class _AnswerBuilder:
    """Builds an answer from the columns of a question.

    actions: the way to make room for each group of series.
    """

    def __init__(
        self,
        fleet: StressedFleet,
        question: Question,
        data: AnswerData,
        actions: Sequence[Action],
    ) -> None:
        self._fleet, self._question, self._data = fleet, question, data
        self._group_actions = actions
        self._snapshot, self._order = data.snapshot, fleet.order

    def answer(self, limit: int) -> Answer:
        """Return the answer with at most `limit` series."""
        fleet, snapshot = self._fleet, self._snapshot
        broken = self._order[fleet.stressed.is_broken[self._order]]
        requesting = self._slots_to_request(broken)
        requests = quotas_to_request([*self._items(requesting[:MAX_REQUESTING])])
        newest_minute = int(snapshot.minute.max(initial=NEVER))
        unknown, not_carried = np.flatnonzero(fleet.unknown), fleet.failover.not_carried
        return Answer(
            question=self._question,
            items=[*self._items(self._order[:limit])],
            total=self._order.size,
            broken=broken.size,
            broken_now=int(np.count_nonzero(fleet.unchanged.is_broken[self._order])),
            actions=self._actions(broken),
            requests=requests[:MAX_REQUESTS],
            requests_total=len(requests),
            unknown=[
                NotAnswered(snapshot.series[slot], self._why_unknown(slot)) for slot in unknown[:MAX_LISTED]
            ],
            unknown_total=unknown.size,
            not_carried=[
                NotAnswered(snapshot.series[slot], f"nothing in {self._question.receiving_region} carries it")
                for slot in not_carried[:MAX_LISTED]
            ],
            not_carried_total=not_carried.size,
            not_growing=int(np.count_nonzero(fleet.not_growing)),
            now=newest_minute if newest_minute > NEVER else None,
            notes=[*self._notes(requesting)],
        )

    def _actions(self, broken: Indices) -> dict[Action, int]:
        """Return the number of broken series for each way to make room."""
        sizes = np.bincount(self._snapshot.group[broken], minlength=len(self._group_actions)).tolist()
        counts = dict.fromkeys(Action, 0)
        for action, size in zip(self._group_actions, sizes, strict=True):
            counts[action] += size
        return counts

    def _slots_to_request(self, broken: Indices) -> Indices:
        """Return the broken series whose quota is to be raised."""
        is_request = np.array([action is Action.REQUEST for action in self._group_actions], np.bool_)
        return broken[is_request[self._snapshot.group[broken]]]

    def _items(self, slots: Indices) -> Iterator[StressedSeries]:
        moments = self._data.past.peak_moments(self._snapshot.id, slots)
        for index, slot in enumerate(slots.tolist()):
            yield self._item(slot, index, moments)

    def _item(self, slot: int, index: int, moments: PeakMoments) -> StressedSeries:
        fleet, snapshot = self._fleet, self._snapshot
        series, stress = snapshot.series[slot], fleet.stressed
        needed = self._limit_to_set(slot) if stress.is_broken[slot] else None
        sender, limit_now = int(fleet.received_from[slot]), float(snapshot.limit[slot])
        bins = int(moments.bins[index])
        return StressedSeries(
            series=series,
            breaking_factor=_finite_or_none(stress.breaking_factor[slot]),
            breaking_factor_now=_finite_or_none(fleet.unchanged.breaking_factor[slot]),
            is_broken=bool(stress.is_broken[slot]),
            factor=float(fleet.factor[slot]),
            peak=float(fleet.peak[slot]),
            peak_at=self._peak_at(slot, int(moments.minutes[index])),
            p99=_finite_or_none(moments.p99[index]),
            peak_is_lower_bound=bool(fleet.throttled[slot]),
            basis=_basis(bins, int(self._data.recent.minutes[slot])),
            history_days=round(bins / BINS_PER_DAY, 1),
            received=snapshot.series[sender].key.id if sender >= 0 else "",
            sums_peaks=bool(fleet.sums_peaks[slot]),
            demand=float(stress.demand[slot]),
            utilization=float(stress.utilization[slot]),
            limit_now=limit_now,
            limit=float(fleet.limit[slot]),
            ceiling=_finite_or_none(fleet.ceiling[slot]),
            needed_limit=None if series.settings.signal.unit.kind is UnitKind.PERCENT else needed,
            needed_factor=needed / float(fleet.limit[slot]) if needed else None,
            remedy=remedy_of(series, needed, limit_now) if needed else None,
        )

    def _limit_to_set(self, slot: int) -> float:
        """Return the lowest limit that can be set and with which the demand is within the band."""
        fleet, band = self._fleet, self._snapshot.series[slot].settings.band
        share = share_of_limit(fleet.ceiling[slot], fleet.limit[slot])
        signal = self._snapshot.series[slot].settings.signal
        needed = float(needed_limit(fleet.stressed.demand[slot], target_utilization(band), share))
        return settable_limit(signal, needed)

    def _peak_at(self, slot: int, fortnight_minute: int) -> int | None:
        """Return the minute of the peak. fortnight_minute: the minute of the fortnight's peak."""
        fleet, snapshot = self._fleet, self._snapshot
        peak = np.float32(fleet.peak[slot])
        if self._data.highest.usage[slot] >= peak:
            return fortnight_minute if fortnight_minute != NEVER else None
        minute = int(
            snapshot.minute[slot] if snapshot.usage[slot] >= peak else self._data.recent.minutes[slot]
        )
        return minute if minute != NEVER else None

    def _why_unknown(self, slot: int) -> str:
        series, snapshot = self._snapshot.series[slot], self._snapshot
        if series.unobservable:
            return str(series.unobservable.reason)
        if snapshot.bounded[slot]:
            return "its usage is known only within bounds"
        if not isfinite(self._fleet.limit[slot]):
            return "its limit is not known"
        if not isfinite(self._data.share[slot]):
            return f"how much of its usage the path {self._question.path} makes is not known"
        return "no usage of it is known yet"

    def _notes(self, requesting: Indices) -> Iterator[str]:
        fleet, question = self._fleet, self._question
        if question.limit:
            yield from self._limit_notes(question.limit)
        if shared := int(np.count_nonzero(fleet.listed & (self._data.share < 1))):
            what = f"{shared:,} series {agreeing(shared, 'has', 'have')} usage that other requests cause"
            yield f"{what}: that part is assumed not to grow, and to be as large as in the last three hours."
        if sums := int(np.count_nonzero(fleet.sums_peaks & fleet.listed)):
            yield f"Of {sums:,} series the peaks of both regions are added up, as their past is not known."
        if (more := requesting.size - MAX_REQUESTING) > 0:
            first = f"{MAX_REQUESTING:,}"
            others = f"{more:,} more {agreeing(more, 'breaks', 'break')}"
            yield f"The quotas to ask for are those of the first {first} series; {others}."

    def _limit_notes(self, limit: AskedLimit) -> Iterator[str]:
        is_changed = self._fleet.listed & (self._fleet.limit == limit.value)
        uses_more = self._snapshot.usage > limit.value
        if count := int(np.count_nonzero(is_changed & uses_more)):
            verb = agreeing(count, "uses", "use")
            yield f"{count:,} series of {limit.signal.id} {verb} more than that limit now."


def _finite_or_none(value: np.floating) -> float | None:
    return float(value) if isfinite(value) else None


def _basis(bins: int, recent_minute: int) -> Basis:
    """Return the data in which a peak was found.

    bins: the number of recorded bins. recent_minute: the minute of the highest demand of the last three
    hours; NEVER if that was not read.
    """
    if bins:
        return Basis.FORTNIGHT if bins >= MIN_BINS else Basis.SHORT
    return Basis.NOW if recent_minute == NEVER else Basis.HOURS
