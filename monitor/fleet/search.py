"""The search query of the pages and the API: `service:kinesis zone:near -region:us-east-1 orders`.

Terms are separated by spaces, and a series must match all of them; several values of one field are
alternatives, and `-` before a term excludes the series that match it. A word without a field must occur in a
name; `*` matches any text. Text in double quotes is one word; in it, a backslash escapes `"` and `\\`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from monitor.fleet.key import LABELS
from monitor.lib.errors import HeadroomError
from rules.band import Zone
from rules.problem_text import suggestion
from rules.signals import LimitKind

MAX_SEARCH_LENGTH: Final = 2048  # characters
MAX_TERMS: Final = 40
ZONE, KIND = "zone", "kind"
TIME_TO_LIMIT = "ttl"  # `ttl:<24h`: series that will reach their limit within 24 hours
UNIT_MINUTES: Final = {"min": 1, "m": 1, "h": 60, "d": 1440}
TIME_PATTERN: Final = re.compile(r"<(\d{1,4})(min|m|h|d)")
TERM_PATTERN: Final = re.compile(r'\s*((?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")+)', re.DOTALL)
PIECE_PATTERN: Final = re.compile(  # quoted text, an escaped character or other text
    r'"((?:[^"\\]|\\.)*)"|\\(.)|([^"\\]+)', re.DOTALL
)
UNQUOTED_WORD: Final = re.compile(r'[^\s"\\:-][^\s"\\:]*')  # a word that needs no quotes
UNQUOTED_VALUE: Final = re.compile(r'[^\s"\\]+')  # a value of a field that needs no quotes


class SearchError(HeadroomError, ValueError):
    """The text is not a valid query; the message gives the reason and the nearest known word."""


@dataclass(frozen=True)
class SearchFields:
    """The fields that a query may name.

    texts: fields whose value is any text. values: by field, the values that it may have. times: fields whose
    value is a time, such as `<24h`.
    """

    texts: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]
    times: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all fields."""
        return (*self.texts, *self.values, *self.times)


SERIES_FIELDS: Final = SearchFields(
    texts=LABELS,  # account, region, service, signal, resource
    values={
        ZONE: tuple(zone.word for zone in sorted(Zone, reverse=True)),
        KIND: tuple(kind.value for kind in LimitKind),
    },
    times=(TIME_TO_LIMIT,),
)


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """One term. field: the field's name; empty for a word. excluded: what matches is excluded."""

    value: str
    field: str = ""
    excluded: bool = False

    def __str__(self) -> str:
        """The term as text."""
        pattern, name = (UNQUOTED_VALUE, f"{self.field}:") if self.field else (UNQUOTED_WORD, "")
        value = self.value if pattern.fullmatch(self.value) else _quote(self.value)
        return f"{'-' if self.excluded else ''}{name}{value}"


@dataclass(frozen=True)
class Search:
    """A parsed query. Its text parses to the same query."""

    terms: tuple[SearchTerm, ...] = ()

    def __str__(self) -> str:
        """The query as text, which may differ from the parsed text: each term occurs once."""
        return " ".join(map(str, self.terms))

    def __bool__(self) -> bool:
        """True if the query has terms."""
        return bool(self.terms)

    @cached_property
    def words(self) -> tuple[SearchTerm, ...]:
        """The terms without a field."""
        return tuple(term for term in self.terms if not term.field)

    def without(self, *terms: SearchTerm) -> "Search":
        """Return the query without these terms."""
        return replace(self, terms=tuple(term for term in self.terms if term not in terms))

    def without_field(self, field: str) -> "Search":
        """Return the query without the terms of a field."""
        return replace(self, terms=tuple(term for term in self.terms if term.field != field))

    def toggled(self, term: SearchTerm) -> "Search":
        """Return the query with the term added, or removed if the query already has it."""
        return self.without(term) if term in self.terms else replace(self, terms=(*self.terms, term))

    def only(self, **values: str) -> "Search":
        """Return the query with these values in place of all other values of their fields."""
        unchanged = tuple(term for term in self.terms if term.field not in values)
        return replace(
            self, terms=(*unchanged, *(SearchTerm(value, field) for field, value in values.items()))
        )


def parse_search(text: str, fields: SearchFields = SERIES_FIELDS) -> Search:
    """Parse a text into a query. Raises SearchError."""
    if len(text) > MAX_SEARCH_LENGTH:
        raise SearchError(f"expected at most {MAX_SEARCH_LENGTH:,} characters")
    terms = dict.fromkeys(term for part in _parts(text) for term in _terms(part, fields))
    if len(terms) > MAX_TERMS:
        raise SearchError(f"expected at most {MAX_TERMS} terms")
    return Search(tuple(terms))


def _parts(text: str) -> Iterator[str]:
    """Yield the parts of a text that spaces separate. Raises SearchError."""
    position, end = 0, len(text.rstrip())
    while position < end:
        match = TERM_PATTERN.match(text, position)
        if match is None:
            raise SearchError("a closing quote is missing, or a backslash is at the end")
        yield match[1]
        position = match.end()


def _terms(part: str, fields: SearchFields) -> Iterator[SearchTerm]:
    """Yield the term of a part, or a term for each listed value of a field. Raises SearchError."""
    excluded = part.startswith("-") and len(part) > 1
    body = part[1:] if excluded else part
    field, colon, value_text = body.partition(":")
    if not colon or '"' in field or "\\" in field:
        yield SearchTerm(_unquote(body), "", excluded)
        return
    if field not in fields.names:
        quoted = _quote(_unquote(body))
        problem = f"{field[:40]} is not a field" if field else "no field is named before the colon"
        raise SearchError(
            f"{problem}{suggestion(field, fields.names) or '.'} "
            f"Fields: {', '.join(fields.names)}. A name with a colon stands in quotes: {quoted[:80]}"
        )
    values = value_text.split(",") if field in fields.values else (_unquote(value_text),)
    for value in filter(None, values):  # a field without a value makes no term
        yield SearchTerm(_check_value(field, value, fields), field, excluded)


def _check_value(field: str, value: str, fields: SearchFields) -> str:
    """Return the value if the field allows it. Raises SearchError."""
    known = fields.values.get(field, ())
    if known and value not in known:
        raise SearchError(
            f"{field}: {value[:40]} is not known{suggestion(value, known) or '.'} Expected {', '.join(known)}"
        )
    if field in fields.times and not TIME_PATTERN.fullmatch(value):
        raise SearchError(f"{field}: expected a time such as <1h, <24h or <3d, found {value[:40]}")
    return value


def minutes_of(term: SearchTerm) -> int:
    """Return the minutes in a term whose field is TIME_TO_LIMIT, such as 60 for `ttl:<1h`."""
    match = TIME_PATTERN.fullmatch(term.value)
    assert match, term
    return int(match[1]) * UNIT_MINUTES[match[2]]


def _unquote(text: str) -> str:
    """Return a text without its quotes and backslashes."""
    return "".join(
        re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) or escaped or other
        for quoted, escaped, other in PIECE_PATTERN.findall(text)
    )


def _quote(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'
