"""The list of the overview as its address says: which series, in which order, from which row on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from pydantic import BaseModel, Field

from monitor.fleet.search import MAX_SEARCH_LENGTH, TEXT_FIELDS, Search, SearchError, Term, parse_search
from monitor.fleet.series_order import DEFAULT_SORT, FIRST_DIRECTION, REVERSED, ListSort

WINDOW_ROWS: Final = 100
MAX_ROW: Final = 10_000_000
MAX_QUERIES: Final = 8  # `q` of one address
OLD_PAGE_ROWS: Final = 25  # of the pages that addresses of older versions name
WILDCARDS: Final = frozenset("*?")


class ListParameters(BaseModel):
    """The parameters of the overview's address. Those before `page` have the form of older versions."""

    q: list[str] = Field(default=[], max_length=MAX_QUERIES)
    sort: ListSort = DEFAULT_SORT
    row: int = Field(default=1, ge=1, le=MAX_ROW)
    account: str = ""
    region: str = ""
    service: str = ""
    signal: str = ""
    resource: str = ""
    zone: list[str] = []
    page: int = Field(default=1, ge=1, le=MAX_ROW // OLD_PAGE_ROWS)

    @property
    def view(self) -> "ListView":
        """The list that is asked for."""
        row = self.row if self.page == 1 else (self.page - 1) * OLD_PAGE_ROWS + 1
        text = " ".join([*filter(None, (one.strip() for one in self.q)), *map(str, self._old_terms())])
        return ListView(text[: MAX_SEARCH_LENGTH + 1], self.sort, row)

    @property
    def is_canonical(self) -> bool:
        """False for an address that has a shorter form, to which it is redirected."""
        return len(self.q) <= 1 and self.page == 1 and not {*self.model_fields_set} - {"q", "sort", "row"}

    def _old_terms(self) -> Iterable[Term]:
        for name in TEXT_FIELDS:
            if value := getattr(self, name):
                is_part = name == "resource" and WILDCARDS.isdisjoint(value)
                yield Term(value, "" if is_part else name)
        yield from (Term(zone, "zone") for zone in self.zone if zone)


@dataclass(frozen=True)
class ListView:
    """The list that an address asks for. text: the query as it was typed. row: the first one, from 1."""

    text: str = ""
    sort: ListSort = DEFAULT_SORT
    row: int = 1

    @cached_property
    def _parsed(self) -> tuple[Search, str]:
        try:
            return parse_search(self.text), ""
        except SearchError as error:
            return Search(), str(error)

    @property
    def search(self) -> Search:
        """The query; an empty one where the text is none."""
        return self._parsed[0]

    @property
    def problem(self) -> str:
        """The reason why the text is no query; empty where it is one."""
        return self._parsed[1]

    @property
    def is_narrowed(self) -> bool:
        """True if the query leaves out anything, or is none."""
        return bool(self.search) or bool(self.problem)

    @property
    def free_text(self) -> str:
        """The part of the query that stands in the field: its words, or all of a text that is no query."""
        return self.text if self.problem else " ".join(map(str, self.search.words))

    @property
    def chips(self) -> list[Term]:
        """The terms that stand as chips: those with a field."""
        return [term for term in self.search.terms if term.field]

    def url(self, **changes: Any) -> str:
        """Return the address with changes; `search` is a query. Of another query or order, the first row."""
        view = replace(self, **({"row": 1} | _as_text(changes))) if changes else self
        pairs = {"q": view.text, "sort": view.sort if view.sort != DEFAULT_SORT else ""}
        pairs |= {"row": str(view.row) if view.row > 1 else ""}
        wanted = [(name, value) for name, value in pairs.items() if value]
        if not wanted:
            return "/"
        return "/?" + urlencode(wanted, safe=":,*/<", quote_via=quote_plus, errors="replace")

    def without(self, term: Term) -> str:
        """Return the address without a term."""
        return self.url(search=self.search.without(term))

    def toggled(self, value: str, field: str) -> str:
        """Return the address with the term of a field, or without it where it is there."""
        return self.url(search=self.search.toggled(Term(value, field)))

    def has(self, value: str, field: str) -> bool:
        """Return whether the query has the term of a field."""
        return Term(value, field) in self.search.terms

    def sorted_by(self, name: str) -> str:
        """Return the address in the order of a column, reversed where it is in this order."""
        first = FIRST_DIRECTION[name]
        return self.url(sort=REVERSED[first] if self.sort == first else first)

    def direction(self, name: str) -> str:
        """Return `ascending` or `descending` for the column that orders the list, else nothing."""
        if self.sort.removeprefix("-") != name:
            return ""
        return "descending" if self.sort.startswith("-") else "ascending"


def search_url(**values: str) -> str:
    """Return the address of the overview with the series that have these values."""
    return ListView().url(search=Search().only(**values))


def _as_text(changes: dict[str, Any]) -> dict[str, Any]:
    search = changes.pop("search", None)
    return changes if search is None else {**changes, "text": str(search)}
