"""Which series are asked for, in which order: as the API takes it, and as the text that people type."""

import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from glob import escape
from typing import get_args

from pydantic import ValidationError

from monitor.fleet import Key
from monitor.query import Query, Sort, ZoneWord
from monitor.web.filters import WILD, Filters
from rules.band import ZONES

ROWS = 200  # series asked for at once
SORTS: tuple[Sort, ...] = get_args(Sort)
ZONE_WORDS: tuple[ZoneWord, ...] = get_args(ZoneWord)
NAMES = (*Key._fields, "zone")
ALL = Filters()


class WrongFilter(ValueError):
    """What is wrong with a filter, as a sentence without a capital."""


@dataclass(frozen=True, slots=True)
class View:
    """The series that pass the filters, by a key, in its usual order or in reverse."""

    filters: Filters = ALL
    sort: Sort = "urgency"
    reverse: bool = False

    @property
    def query(self) -> Query:
        usual = Query(sort=self.sort)
        order = "desc" if usual.descending != self.reverse else "asc"
        told = {"zone": list(self.filters.zone), "sort": self.sort, "order": order, "limit": ROWS}
        return self.filters.query.model_copy(update=told)

    @property
    def resorted(self) -> "View":
        """By the next key."""
        return replace(self, sort=SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)], reverse=False)

    @property
    def reversed(self) -> "View":
        """The other way round."""
        return replace(self, reverse=not self.reverse)

    @property
    def rezoned(self) -> "View":
        """In the next zone alone; after the last of them, in all."""
        turns = (None, *ZONE_WORDS, None)
        now = self.filters.zone[0] if self.filters.zone else None
        following = turns[turns.index(now) + 1]
        zone = (following,) if following else ()
        return replace(self, filters=self.filters.model_copy(update={"zone": zone}))

    def filtered(self, text: str) -> "View":
        """By what people typed. Raises WrongFilter."""
        return replace(self, filters=parsed(text))


def parsed(text: str) -> Filters:
    """`service:kinesis zone:critical clicks`: a label has a value; other words are in the resource's name, in
    this order. Raises WrongFilter."""
    words: list[str] = []
    named: defaultdict[str, list[str]] = defaultdict(list)
    for part in _split(text):
        name, colon, value = part.partition(":")
        if not colon:
            words.append(part)
        elif name in NAMES:
            named[name].append(value)
        else:
            known = ", ".join(NAMES)
            raise WrongFilter(f"{name}: expected {known}; a name that has a colon is resource:{part}")
    if words:
        named["resource"].append(_pattern(words))
    zones = [word for words in named.pop("zone", []) for word in words.split(",")]
    for service, signal in map(_parted, named.pop("signal", [])):
        named["signal"].append(signal)
        named["service"] += service
    try:
        told = {name: _one(name, values) for name, values in named.items() if values}
        return Filters.model_validate(told | {"zone": _zones(zones)})
    except ValidationError as error:
        raise WrongFilter(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise WrongFilter("expected a closing quote, or no backslash at the end") from None


def _pattern(words: list[str]) -> str:
    if len(words) == 1:
        return words[0]
    return f"*{'*'.join(word if WILD & set(word) else escape(word) for word in words)}*"


def _parted(signal: str) -> tuple[list[str], str]:
    """The service, where the signal is written with it as the list shows it, and the signal."""
    service, dot, name = signal.partition(".")
    return ([service], name) if dot else ([], signal)


def _one(name: str, values: list[str]) -> str:
    if len(set(values)) > 1:
        raise WrongFilter(f"{name}: expected one, found {' and '.join(values)}")
    return values[0]


def _zones(words: list[str]) -> tuple[ZoneWord, ...]:
    if unknown := [word for word in words if word not in ZONES]:
        raise WrongFilter(f"zone: expected {', '.join(ZONE_WORDS)}; found {unknown[0] or 'nothing'}")
    return tuple(word for word in ZONE_WORDS if word in words)


def written(filters: Filters) -> str:
    """The text that gives these filters."""
    return " ".join(_parts(filters))


def _parts(filters: Filters) -> Iterator[str]:
    for name in Key._fields:
        if value := getattr(filters, name):
            yield shlex.quote(f"{name}:{value}")
    if filters.zone:
        yield f"zone:{','.join(filters.zone)}"
