"""The series that a question is about, by matchers on their labels."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.alerting.matchers import Matcher, all_match
from monitor.fleet.fleet import Series
from monitor.fleet.key import ALL_LABELS, LABELS, Key
from monitor.fleet.snapshot import Snapshot
from monitor.what_if.question import MAX_SHOWN, AskedLimit, QuestionError
from rules.arrays import Flags
from rules.problem_text import suggestion

GROUP_LABELS = LABELS[:4]
MAX_COMPARED = 2000  # values compared with an unknown value, to suggest the nearest


def matching_slots(snapshot: Snapshot, matchers: Sequence[Matcher]) -> Flags:
    """Return the slots of the series that all matchers match. Raises QuestionError if there is none."""
    group_matchers = [matcher for matcher in matchers if matcher.name in GROUP_LABELS]
    series_matchers = [matcher for matcher in matchers if matcher.name not in GROUP_LABELS]
    flags = in_groups(
        snapshot,
        (all_match(group_matchers, dict(zip(GROUP_LABELS, group, strict=True))) for group in snapshot.groups),
    )
    if series_matchers:
        flags[flags] = [
            all_match(series_matchers, _own_labels(series)) for series in snapshot.series[flags].tolist()
        ]
    if matchers and not flags.any():
        raise QuestionError(_no_match_sentence(snapshot, matchers))
    return flags


def shares_of_path(snapshot: Snapshot, shares: Mapping[Key, float] | None) -> NDArray[np.float64]:
    """Return the share of each slot's usage that is traffic of a path.

    shares: the shares by key; None for all traffic, whose share is 1 in each slot.
    """
    if shares is None:
        return np.ones(snapshot.series.size)
    column = np.zeros(snapshot.series.size)
    for slot, series in enumerate(snapshot.series.tolist()):
        if series is not None and (share := shares.get(series.key)) is not None:
            column[slot] = share
    return column


def in_groups(snapshot: Snapshot, wanted: Iterable[bool]) -> Flags:
    """Return the slots of the series in wanted groups. wanted: one flag for each group of the snapshot."""
    # Slots without a series have the group -1, which is the last flag.
    flags: Flags = np.array([*wanted, False], np.bool_)[snapshot.group]
    return flags


def slots_of_limit(snapshot: Snapshot, limit: AskedLimit, chosen: Flags) -> Flags:
    """Return the slots of the chosen series whose limit the question sets.

    Raises QuestionError if there is none.
    """
    signal = limit.signal
    flags = in_groups(snapshot, (group[2:] == (signal.service, signal.name) for group in snapshot.groups))
    flags &= chosen
    if not flags.any():
        raise QuestionError(f"set_limit: no series of {signal.id} is known, or match selects none of them")
    if not limit.resource:
        return flags
    series = snapshot.series[flags].tolist()
    flags[flags] = [limit.resource in (each.key.resource, each.key.subject.id) for each in series]
    if not flags.any():
        names = (each.key.resource for each in series[:MAX_COMPARED])
        hint = suggestion(limit.resource, names)
        raise QuestionError(f"resource: no series of {signal.id} is of {limit.resource[:MAX_SHOWN]!r}{hint}")
    return flags


def _labels(series: Series) -> dict[str, str]:
    return series.key.labels | dict(series.settings.tags)


def _own_labels(series: Series) -> dict[str, str]:
    """Return the labels that the series of a group do not share."""
    tags = series.settings.tags
    return series.key.subject.labels | dict(tags) if tags else series.key.subject.labels


def _no_match_sentence(snapshot: Snapshot, matchers: Sequence[Matcher]) -> str:
    """Return a sentence on matchers that select nothing, with the nearest label or value."""
    matcher_texts = ", ".join(map(str, matchers))[:200]
    return f"match: no series matches {matcher_texts}{_hint(snapshot, matchers)}"


def _hint(snapshot: Snapshot, matchers: Sequence[Matcher]) -> str:
    label_sets = [_labels(series) for series in snapshot.series.tolist() if series is not None]
    compared = label_sets[:MAX_COMPARED]
    label_names = {*ALL_LABELS, *(name for labels in compared for name in labels)}
    for matcher in matchers:
        if matcher.name not in label_names:
            hint = suggestion(matcher.name, sorted(label_names))
            return f"; no series has a label {matcher.name[:MAX_SHOWN]!r}{hint}"
        values = {labels.get(matcher.name, "") for labels in compared}
        if matcher.name in GROUP_LABELS:
            values = {group[GROUP_LABELS.index(matcher.name)] for group in snapshot.groups}
        if matcher.operator == "=" and matcher.value not in values:
            return suggestion(matcher.value, sorted(values))
    return ""
