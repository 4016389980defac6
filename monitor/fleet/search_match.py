"""Finds the series of a snapshot that a search matches."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Final

import numpy as np

from monitor.fleet.columns import Objects
from monitor.fleet.key import LABELS
from monitor.fleet.namespaces import NEVER
from monitor.fleet.search import KIND, TIME_TO_LIMIT, ZONE, Search, SearchTerm, minutes_of
from monitor.fleet.snapshot import Snapshot
from rules.arrays import Flags, Indices
from rules.band import ZONES
from rules.forecast import LIKELY
from rules.forecast_features import HORIZONS

GROUP_FIELDS: Final = LABELS[:4]  # the fields of a group in `Snapshot.groups`, in order
WILDCARDS: Final = frozenset("*?")
TextPredicate = Callable[[str], bool]


@dataclass(slots=True)
class SearchIndex:
    """Caches the names of all series in lower case until a series is added or removed."""

    _series: Objects | None = None
    _names: list[str] = field(default_factory=list)

    def names(self, series: Objects) -> list[str]:
        """Return the name and the id of each slot's resource, in lower case; empty where no series is."""
        if series is not self._series:
            self._names = [_name(entry) for entry in series.tolist()]
            self._series = series
        return self._names


def _name(series: object) -> str:
    key = getattr(series, "key", None)
    if key is None:
        return ""
    name, identity = key.resource, key.subject.id
    return (name if name == identity else f"{name}\n{identity}").lower()


def search_flags(snapshot: Snapshot, search: Search, index: SearchIndex) -> Flags:
    """Return which slots have a series that the search matches. Slow: never call it on the event loop."""
    selected: Flags = snapshot.group >= 0
    for term in search.terms:
        if term.excluded:
            selected &= ~_matching(snapshot, term, selected, index)
    required = [term for term in search.terms if not term.excluded]
    for name in dict.fromkeys(term.field for term in required if term.field):
        found = np.zeros_like(selected)
        for term in required:
            if term.field == name:
                found |= _matching(snapshot, term, selected, index)
        selected &= found
    for term in required:
        if not term.field:
            selected &= _matching(snapshot, term, selected, index)
    return selected


def _matching(snapshot: Snapshot, term: SearchTerm, candidates: Flags, index: SearchIndex) -> Flags:
    """Return which slots a term matches; the result is meaningful only for the slots in `candidates`."""
    if term.field == ZONE:
        in_zone: Flags = snapshot.zone == ZONES[term.value]
        return in_zone
    if term.field == KIND:
        return _in_groups(snapshot, group_kinds(snapshot) == term.value)
    if term.field == TIME_TO_LIMIT:
        return reached_within(snapshot, minutes_of(term))
    if term.field == "resource":
        return _with_resource_name(snapshot, term.value.lower(), candidates, index, whole=True)
    if term.field:
        return _in_groups(snapshot, _groups_with(snapshot, term))
    word = term.value.lower()
    found = _in_groups(snapshot, _groups_containing(snapshot, word))
    return found | _with_resource_name(snapshot, word, candidates & ~found, index, whole=False)


def _in_groups(snapshot: Snapshot, group_flags: Iterable[bool]) -> Flags:
    """Return which slots are in a group whose flag is true. group_flags: one flag for each group."""
    flags: Flags = np.array([*group_flags, False], np.bool_)  # the last flag is for slots without a series
    return flags[snapshot.group]


def group_kinds(snapshot: Snapshot) -> Objects:
    """Return the kind of limit of each group, as written in a query; empty for a group without series."""
    kinds = np.full(len(snapshot.groups), "", object)
    slots = np.flatnonzero(snapshot.group >= 0)
    any_slot = np.full(len(snapshot.groups), -1, np.int64)
    any_slot[snapshot.group[slots]] = slots
    for group in np.flatnonzero(any_slot >= 0).tolist():
        kinds[group] = snapshot.series[any_slot[group]].settings.signal.kind.value
    return kinds


def _groups_with(snapshot: Snapshot, term: SearchTerm) -> list[bool]:
    matches, position = text_predicate(term.value.lower()), GROUP_FIELDS.index(term.field)
    account_names: Mapping[str, str] = snapshot.account_names

    def is_wanted(group: tuple[str, str, str, str]) -> bool:
        value = group[position].lower()
        if term.field == "account":
            return matches(value) or matches(account_names.get(group[0], "").lower())
        return matches(value) or (term.field == "signal" and matches(f"{group[2]}.{group[3]}".lower()))

    return [is_wanted(group) for group in snapshot.groups]


def _groups_containing(snapshot: Snapshot, word: str) -> list[bool]:
    contains, account_names = _contains(word), snapshot.account_names
    return [
        contains(" ".join((*group, account_names.get(group[0], ""))).lower()) for group in snapshot.groups
    ]


def _with_resource_name(
    snapshot: Snapshot, text: str, candidates: Flags, index: SearchIndex, *, whole: bool
) -> Flags:
    """Return which slots have a resource with this text in its name.

    whole: the text must match the whole name.
    """
    found, slots = np.zeros(candidates.size, np.bool_), np.flatnonzero(candidates)
    names = index.names(snapshot.series)
    if whole and WILDCARDS.isdisjoint(text):
        found[slots] = [text in names[slot].split("\n") for slot in slots.tolist()]
    elif whole:
        matches = text_predicate(text)
        found[slots] = [any(map(matches, names[slot].split("\n"))) for slot in slots.tolist()]
    else:
        contains = _contains(text)
        found[slots] = [contains(names[slot]) for slot in slots.tolist()]
    return found


def text_predicate(pattern: str) -> TextPredicate:
    """Return a predicate: true for a text that matches the pattern. `*` is any text, `?` any character."""
    if WILDCARDS.isdisjoint(pattern):
        return pattern.__eq__
    matches = re.compile(translate(pattern.replace("[", "[[]"))).match
    return lambda text: matches(text) is not None


def _contains(word: str) -> TextPredicate:
    if WILDCARDS.isdisjoint(word):
        return lambda text: word in text
    return text_predicate(f"*{word}*")


def reached_within(snapshot: Snapshot, minutes: int) -> Flags:
    """Return which series are at their limits, or will probably reach them soon.

    minutes: how soon, from the newest sample on.
    """
    reached_at, newest = snapshot.reach.minutes[:, 0], int(snapshot.minute.max(initial=0))
    is_soon = (reached_at != NEVER) & (reached_at <= newest + minutes) & is_expected(snapshot)
    flags: Flags = is_at_limit(snapshot) | is_soon
    return flags & (snapshot.group >= 0)


def is_expected(snapshot: Snapshot, slots: Indices | slice = slice(None)) -> Flags:
    """Return which series will probably reach their limits.

    Times beyond the longest horizon are forecast only for usage that grows steadily, so they count although
    no probability is known (see `monitor.fleet.reach.Reach.is_expected`).
    """
    last, newest = snapshot.reach.minutes[slots, -1], int(snapshot.minute.max(initial=0))
    likely = (snapshot.reach.probability[slots] >= LIKELY).any(axis=1)
    flags: Flags = (last != NEVER) & (likely | (last - newest > HORIZONS[-1]))
    return flags


def is_at_limit(snapshot: Snapshot, slots: Indices | slice = slice(None)) -> Flags:
    """Return which series are at their limits, by their forecasts."""
    flags: Flags = snapshot.reach.probability[slots, 0] >= 1
    return flags
