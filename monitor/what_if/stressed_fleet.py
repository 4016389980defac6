"""The numbers of all series after the change that a question assumes, as columns by slot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from monitor.fleet.columns import Flags, Floats, Indices, Ints
from monitor.fleet.snapshot import Snapshot
from monitor.what_if.ceilings import own_ceilings
from monitor.what_if.failover import NO_FAILOVER, Failover, failover
from monitor.what_if.past_usage import PastHighest, PastUsage
from monitor.what_if.question import Question
from monitor.what_if.recent_demand import RecentDemand
from monitor.what_if.selection import in_groups, selected, with_limit
from rules.band import Zone
from rules.signals import Service
from rules.what_if import Numbers, Stress, breaking_order, stress


class AnswerData(NamedTuple):
    """The data that answers are computed from. recent: the demand of the last hours of some series."""

    snapshot: Snapshot
    past: PastUsage
    highest: PastHighest
    recent: RecentDemand


@dataclass(frozen=True, kw_only=True)
class StressedFleet:
    """The columns of a question, by slot.

    listed: the question is about the series, and the answer is known. unknown: the question is about the
    series, and the answer is unknown. not_growing: the series is left out, as it counts things.
    peak: the highest demand of the series itself. throttled: some of that demand was throttled.
    moved: the traffic that moves to another region. received_from: the slot whose traffic the series
    receives; -1 if there is none. sums_peaks: the peaks of both are added, as they have no common past.
    limit: the limit that the question sets, else the limit in force. ceiling: the effective ceiling.
    now, then: the numbers without any change, and under the question.
    """

    snapshot: Snapshot
    listed: Flags
    unknown: Flags
    not_growing: Flags
    peak: Numbers
    throttled: Flags
    moved: Failover
    received_from: Ints
    sums_peaks: Flags
    factor: Numbers
    limit: Numbers
    ceiling: Numbers
    now: Stress
    then: Stress

    @property
    def order(self) -> Indices:
        """The slots of the listed series in the order in which they break."""
        slots = np.flatnonzero(self.listed)
        breaks_at, used = self.then.breaks_at[slots], self.then.utilization[slots]
        return slots[breaking_order(breaks_at, used, self.snapshot.id[slots])]

    @classmethod
    def of(cls, question: Question, data: AnswerData, services: Mapping[str, Service]) -> Self:
        """Compute the columns. Raises QuestionError where the question is about no series."""
        snapshot, past, highest, recent = data
        chosen = selected(snapshot, question.matchers)
        grows = _growing(snapshot, services) | question.counts
        changed = with_limit(snapshot, question.limit, chosen) if question.limit else np.zeros_like(chosen)
        peak = _peak(snapshot, highest.usage, recent.highest)
        moved = (
            failover(snapshot, question.failing, question.to, chosen & grows & (peak > 0))
            if question.failing
            else NO_FAILOVER
        )
        combined_peak, received_from, sums_peaks = _received(snapshot, past, peak, moved)
        growing = chosen & grows if question.factor is not None else np.zeros_like(chosen)
        growing[moved.receiving] |= question.factor is not None
        factor = np.where(growing, question.factor or 1.0, 1.0)
        limit_now = np.where(snapshot.limit > 0, snapshot.limit, np.nan).astype(np.float64)
        ceiling_now = own_ceilings(snapshot, services, peak / limit_now)
        ceiling = ceiling_now.copy()
        limit, asked = limit_now, question.limit
        if asked:
            limit = np.where(changed, asked.value, limit_now)
            ceiling = np.where(changed, ceiling / limit_now * limit, ceiling)
        wanted = growing | changed
        wanted[moved.receiving] = True
        wanted &= ~_in_region(snapshot, question.failing)
        is_known = np.isfinite(combined_peak) & np.isfinite(limit) & _is_judged(snapshot)
        return cls(
            snapshot=snapshot,
            listed=wanted & is_known,
            unknown=wanted & ~is_known,
            not_growing=_left_out(snapshot, chosen, grows, question),
            peak=peak,
            throttled=_was_throttled(snapshot, highest),
            moved=moved,
            received_from=received_from,
            sums_peaks=sums_peaks,
            factor=factor,
            limit=limit,
            ceiling=ceiling,
            now=stress(peak, limit_now, ceiling_now, 1.0),
            then=stress(combined_peak, limit, ceiling, factor),
        )


def _growing(snapshot: Snapshot, services: Mapping[str, Service]) -> Flags:
    """Return the slots of series whose usage grows with traffic; usage of unknown signals does not."""

    def is_load(service: str, name: str) -> bool:
        signal = services[service].signals.get(name) if service in services else None
        return bool(signal and signal.is_load)

    return in_groups(snapshot, (is_load(*group[2:]) for group in snapshot.groups))


def _in_region(snapshot: Snapshot, region: str) -> Flags:
    return in_groups(snapshot, (group[1] == region for group in snapshot.groups))


def _is_judged(snapshot: Snapshot) -> Flags:
    """Return the slots of observable series whose usage is known as a number, not only within bounds."""
    is_judged: Flags = ~snapshot.bounded & (snapshot.zone != Zone.UNOBSERVABLE)
    return is_judged


def _left_out(snapshot: Snapshot, chosen: Flags, grows: Flags, question: Question) -> Flags:
    """Return the slots of chosen series that neither grow nor move, as their usage is no traffic."""
    if question.factor is not None:
        return chosen & ~grows
    return chosen & ~grows & _in_region(snapshot, question.failing)


def _was_throttled(snapshot: Snapshot, highest: PastHighest) -> Flags:
    flags: Flags = highest.throttled | (snapshot.saturation > 0) | np.isfinite(snapshot.reach.ceiling)
    return flags


def _peak(snapshot: Snapshot, highest: Floats, demand: Floats) -> Numbers:
    """Return the highest known demand: of the fortnight, of now, and of the last hours (`demand`)."""
    now = np.where(snapshot.bounded, np.float32(np.nan), snapshot.usage)
    return np.fmax(np.fmax(highest, now), demand).astype(np.float64)


def _received(
    snapshot: Snapshot, past: PastUsage, peak: Numbers, moved: Failover
) -> tuple[Numbers, Ints, Flags]:
    """Return the peaks with received traffic, the slots it comes from, and which peaks were added up.

    Where both series have a past, the peak is their highest common usage; else it is the sum of their peaks.
    """
    combined_peak, sums_peaks = peak.copy(), np.zeros(peak.size, np.bool_)
    received_from = np.full(peak.size, -1, np.int32)
    receiving, sending = moved.receiving, moved.moved
    if receiving.size:
        highest = past.highest_together(snapshot.id, receiving, sending).astype(np.float64)
        own = peak[receiving]
        is_sum = np.isnan(highest)
        combined = np.where(is_sum, own + peak[sending], np.fmax(np.fmax(highest, own), peak[sending]))
        combined_peak[receiving] = combined
        sums_peaks[receiving], received_from[receiving] = is_sum, sending
    return combined_peak, received_from, sums_peaks
