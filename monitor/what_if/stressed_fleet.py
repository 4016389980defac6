"""The numbers of all series after the change that a question assumes, as columns by slot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from monitor.fleet.snapshot import Snapshot
from monitor.what_if.failover import NO_FAILOVER, Failover, failover
from monitor.what_if.past_usage import PastHighest, PastUsage
from monitor.what_if.question import Question
from monitor.what_if.recent_demand import RecentDemand
from monitor.what_if.selection import in_groups, matching_slots, slots_of_limit
from rules.arrays import Flags, Float64s, Floats, Indices, Ints
from rules.band import Zone
from rules.signals import Service
from rules.what_if import Stress, breaking_order, stress


class AnswerData(NamedTuple):
    """The data that answers are computed from.

    highest: the highest usage in the fortnight. recent: the demand of the last hours of some series.
    share: by slot, the share of the usage that is part of the traffic in question: 1 for all traffic, 0 for a
    series that is not on the path in question, NaN if it is unknown.
    """

    snapshot: Snapshot
    past: PastUsage
    highest: PastHighest
    recent: RecentDemand
    share: Float64s


@dataclass(frozen=True, kw_only=True)
class StressedFleet:
    """The columns of a question, by slot.

    listed: the question is about the series, and the answer is known.
    unknown: the question is about the series, and the answer is unknown.
    not_growing: the series is left out, as its usage is a number of resources.
    peak: the highest demand of the series itself.
    throttled: demand was throttled, so the peak may have been higher.
    failover: the series whose traffic moves to another region, and their receivers.
    received_from: the slot whose traffic the series receives; -1 if there is none.
    sums_peaks: the peaks of the series and of `received_from` are added up, as their usage at one time is
        not known.
    limit: the limit that the question sets, else the limit in force.
    ceiling: the effective ceiling.
    unchanged, stressed: the numbers without any change, and under the question.
    """

    snapshot: Snapshot
    listed: Flags
    unknown: Flags
    not_growing: Flags
    peak: Float64s
    throttled: Flags
    failover: Failover
    received_from: Ints
    sums_peaks: Flags
    factor: Float64s
    limit: Float64s
    ceiling: Float64s
    unchanged: Stress
    stressed: Stress

    @property
    def order(self) -> Indices:
        """The slots of the listed series in the order in which they break."""
        slots = np.flatnonzero(self.listed)
        breaking_factor, used = self.stressed.breaking_factor[slots], self.stressed.utilization[slots]
        return slots[breaking_order(breaking_factor, used, self.snapshot.id[slots])]

    @classmethod
    def of(cls, question: Question, data: AnswerData, services: Mapping[str, Service]) -> Self:
        """Compute the columns. Raises QuestionError where the question is about no series."""
        snapshot, past, highest, recent, share = data
        chosen = matching_slots(snapshot, question.matchers) & (share != 0)
        follows_traffic = _follows_traffic(snapshot, services) | question.counts_grow
        limit_is_set = (
            slots_of_limit(snapshot, question.limit, chosen) if question.limit else np.zeros_like(chosen)
        )
        peak = _peak(snapshot, highest.usage, recent.highest)
        failing, receiving = question.failing_region, question.receiving_region
        may_move = chosen & follows_traffic & (peak > 0)
        moves = failover(snapshot, failing, receiving, may_move) if failing else NO_FAILOVER
        combined_peak, received_from, sums_peaks = _combined_peaks(snapshot, past, peak, moves)
        growing = chosen & follows_traffic if question.factor is not None else np.zeros_like(chosen)
        growing[moves.receiving] |= question.factor is not None  # the received traffic grows, too
        factor = np.where(growing, question.factor or 1.0, 1.0)
        limit_now = np.where(snapshot.limit > 0, snapshot.limit, np.nan).astype(np.float64)
        ceiling_now = snapshot.reach.ceiling.astype(np.float64)
        ceiling = ceiling_now.copy()
        limit, asked_limit = limit_now, question.limit
        if asked_limit:
            limit = np.where(limit_is_set, asked_limit.value, limit_now)
            ceiling = np.where(limit_is_set, ceiling / limit_now * limit, ceiling)
        is_asked_about = growing | limit_is_set
        is_asked_about[moves.receiving] = True
        is_asked_about &= ~_in_region(snapshot, failing)
        is_known = np.isfinite(combined_peak) & np.isfinite(limit * share) & _is_judged(snapshot)
        return cls(
            snapshot=snapshot,
            listed=is_asked_about & is_known,
            unknown=is_asked_about & ~is_known,
            not_growing=_not_growing(snapshot, chosen, follows_traffic, question),
            peak=peak,
            throttled=_was_throttled(snapshot, highest),
            failover=moves,
            received_from=received_from,
            sums_peaks=sums_peaks,
            factor=factor,
            limit=limit,
            ceiling=ceiling,
            unchanged=stress(peak, limit_now, ceiling_now, 1.0),
            stressed=stress(combined_peak, limit, ceiling, factor, share),
        )


def _follows_traffic(snapshot: Snapshot, services: Mapping[str, Service]) -> Flags:
    """Return the slots of series whose usage grows with traffic; the usage of unknown signals does not."""

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


def _not_growing(snapshot: Snapshot, chosen: Flags, follows_traffic: Flags, question: Question) -> Flags:
    """Return the slots of chosen series that neither grow nor move, as their usage is no traffic."""
    if question.factor is not None:
        return chosen & ~follows_traffic
    return chosen & ~follows_traffic & _in_region(snapshot, question.failing_region)


def _was_throttled(snapshot: Snapshot, highest: PastHighest) -> Flags:
    flags: Flags = highest.throttled | (snapshot.saturation > 0) | np.isfinite(snapshot.reach.ceiling)
    return flags


def _peak(snapshot: Snapshot, highest: Floats, demand: Floats) -> Float64s:
    """Return the highest known demand: of the fortnight, of now, and of the last hours (`demand`)."""
    now = np.where(snapshot.bounded, np.float32(np.nan), snapshot.usage)
    return np.fmax(np.fmax(highest, now), demand).astype(np.float64)


def _combined_peaks(
    snapshot: Snapshot, past: PastUsage, peak: Float64s, moves: Failover
) -> tuple[Float64s, Ints, Flags]:
    """Return the peaks with received traffic, the slots it comes from, and which peaks were added up.

    Where the receiving and the sending series have a past, the peak is the highest sum of their usages at one
    time, or the own peak of one of them if that is higher; else it is the sum of their peaks.
    """
    combined_peak, sums_peaks = peak.copy(), np.zeros(peak.size, np.bool_)
    received_from = np.full(peak.size, -1, np.int32)
    receiving, sending = moves.receiving, moves.sending
    if receiving.size:
        highest = past.highest_together(snapshot.id, receiving, sending).astype(np.float64)
        own_peak, sent_peak = peak[receiving], peak[sending]
        is_sum = np.isnan(highest)
        highest_known = np.fmax(np.fmax(highest, own_peak), sent_peak)
        combined_peak[receiving] = np.where(is_sum, own_peak + sent_peak, highest_known)
        sums_peaks[receiving], received_from[receiving] = is_sum, sending
    return combined_peak, received_from, sums_peaks
