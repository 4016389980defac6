"""The filters and the order of the list of series: as an API query, and as the text that a user types."""

import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from glob import escape
from typing import get_args

from pydantic import ValidationError

from monitor.fleet.filters import Filters
from monitor.fleet.key import LABELS
from monitor.fleet.query import Query, Sort, ZoneWord
from monitor.fleet.search_match import WILDCARDS
from monitor.lib.errors import HeadroomError
from rules.band import ZONES

MAX_ROWS = 200  # series fetched at once
SORTS: tuple[Sort, ...] = get_args(Sort)
ZONE_WORDS: tuple[ZoneWord, ...] = get_args(ZoneWord)
FILTER_LABELS = (*LABELS, "zone")
NO_FILTERS = Filters()


class FilterError(HeadroomError, ValueError):
    """A filter is invalid; the text is a sentence that starts in lower case."""


@dataclass(frozen=True, slots=True)
class SeriesView:
    """The filters and the order of the list. reverse: the order is the opposite of the sort key's default."""

    filters: Filters = NO_FILTERS
    sort: Sort = "urgency"
    reverse: bool = False

    @property
    def query(self) -> Query:
        """The query of the API that returns these series."""
        default_query = Query(sort=self.sort)
        order = "desc" if default_query.descending != self.reverse else "asc"
        params = {"zone": list(self.filters.zone), "sort": self.sort, "order": order, "limit": MAX_ROWS}
        return self.filters.query.model_copy(update=params)

    @property
    def with_next_sort(self) -> "SeriesView":
        """The view sorted by the next key, in its default order."""
        return replace(self, sort=SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)], reverse=False)

    @property
    def with_reverse_order(self) -> "SeriesView":
        """The view in the opposite order."""
        return replace(self, reverse=not self.reverse)

    @property
    def with_next_zone(self) -> "SeriesView":
        """The view of only the next zone; after the last zone, the view of all zones."""
        cycle = (None, *ZONE_WORDS, None)
        current = self.filters.zone[0] if self.filters.zone else None
        next_zone = cycle[cycle.index(current) + 1]
        zone = (next_zone,) if next_zone else ()
        return replace(self, filters=self.filters.model_copy(update={"zone": zone}))

    def with_filters(self, text: str) -> "SeriesView":
        """Return the view with the filters that a user typed. Raises FilterError."""
        return replace(self, filters=parse_filters(text))


def parse_filters(text: str) -> Filters:
    """Parse filters such as `service:kinesis zone:near clicks`. Raises FilterError.

    Words without a label must occur in the name of the resource, in the given order.
    """
    words: list[str] = []
    values_by_label: defaultdict[str, list[str]] = defaultdict(list)
    for part in _split(text):
        name, colon, value = part.partition(":")
        if not colon:
            words.append(part)
        elif name in FILTER_LABELS:
            values_by_label[name].append(value)
        else:
            labels = ", ".join(FILTER_LABELS)
            raise FilterError(f"{name}: expected {labels}; for a name with a colon, write resource:{part}")
    if words:
        values_by_label["resource"].append(_pattern(words))
    zones = [zone for value in values_by_label.pop("zone", []) for zone in value.split(",")]
    for services, signal in map(_split_signal, values_by_label.pop("signal", [])):
        values_by_label["signal"].append(signal)
        values_by_label["service"] += services
    try:
        params = {name: _only_value(name, values) for name, values in values_by_label.items() if values}
        return Filters.model_validate(params | {"zone": _parse_zones(zones)})
    except ValidationError as error:
        raise FilterError(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise FilterError("a closing quote is missing, or a backslash is at the end") from None


def _pattern(words: list[str]) -> str:
    """Return a pattern of names that contain the words in this order; one word is its own pattern."""
    if len(words) == 1:
        return words[0]
    return f"*{'*'.join(word if WILDCARDS & set(word) else escape(word) for word in words)}*"


def _split_signal(signal: str) -> tuple[list[str], str]:
    """Return the service before the signal's dot, as a list that is empty without a dot, and the signal."""
    service, dot, name = signal.partition(".")
    return ([service], name) if dot else ([], signal)


def _only_value(name: str, values: list[str]) -> str:
    if len(set(values)) > 1:
        raise FilterError(f"{name}: expected one, found {' and '.join(values)}")
    return values[0]


def _parse_zones(words: list[str]) -> tuple[ZoneWord, ...]:
    if unknown := [word for word in words if word not in ZONES]:
        raise FilterError(f"zone: expected {', '.join(ZONE_WORDS)}; found {unknown[0] or 'nothing'}")
    return tuple(word for word in ZONE_WORDS if word in words)


def format_filters(filters: Filters) -> str:
    """Return the text that parses to these filters."""
    return " ".join(_format_parts(filters))


def _format_parts(filters: Filters) -> Iterator[str]:
    for name in LABELS:
        if value := getattr(filters, name):
            yield shlex.quote(f"{name}:{value}")
    if filters.zone:
        yield f"zone:{','.join(filters.zone)}"
