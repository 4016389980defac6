"""The list of the overview as its address describes it: the query, the order and the first row."""

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
MAX_QUERIES: Final = 8  # parameters `q` in one address
OLD_PAGE_ROWS: Final = 25  # rows of a page in addresses of older versions
WILDCARDS: Final = frozenset("*?")


class ListParameters(BaseModel):
    """The parameters of the overview's address. `account` to `page` are parameters of older versions."""

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
        """The list that the parameters describe."""
        row = self.row if self.page == 1 else (self.page - 1) * OLD_PAGE_ROWS + 1
        text = " ".join([*filter(None, (query.strip() for query in self.q)), *map(str, self._old_terms())])
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
    """The list that an address describes. text: the query as it was typed. row: the first row, from 1."""

    text: str = ""
    sort: ListSort = DEFAULT_SORT
    row: int = 1

    @cached_property
    def _search_and_problem(self) -> tuple[Search, str]:
        try:
            return parse_search(self.text), ""
        except SearchError as error:
            return Search(), str(error)

    @property
    def search(self) -> Search:
        """The query; an empty query if the text is invalid."""
        return self._search_and_problem[0]

    @property
    def problem(self) -> str:
        """The reason why the text is not a valid query; empty if it is valid."""
        return self._search_and_problem[1]

    @property
    def has_query(self) -> bool:
        """True if the query has terms, or the text is invalid."""
        return bool(self.search) or bool(self.problem)

    @property
    def free_text(self) -> str:
        """The text in the search field: the words of the query, or the whole text if it is invalid."""
        return self.text if self.problem else " ".join(map(str, self.search.words))

    @property
    def chips(self) -> list[Term]:
        """The terms that are shown as chips: the terms with a field."""
        return [term for term in self.search.terms if term.field]

    def url(self, **changes: Any) -> str:
        """Return the address with changes, from the first row. The change `search` is a query."""
        view = replace(self, **({"row": 1} | _as_text(changes))) if changes else self
        pairs = {"q": view.text, "sort": view.sort if view.sort != DEFAULT_SORT else ""}
        pairs |= {"row": str(view.row) if view.row > 1 else ""}
        given = [(name, value) for name, value in pairs.items() if value]
        if not given:
            return "/"
        return "/?" + urlencode(given, safe=":,*/<", quote_via=quote_plus, errors="replace")

    def without(self, term: Term) -> str:
        """Return the address without a term."""
        return self.url(search=self.search.without(term))

    def toggled(self, value: str, field: str) -> str:
        """Return the address with a term added, or without the term if the query has it."""
        return self.url(search=self.search.toggled(Term(value, field)))

    def has(self, value: str, field: str) -> bool:
        """Return whether the query has a term with this value and field."""
        return Term(value, field) in self.search.terms

    def sorted_by(self, name: str) -> str:
        """Return the address in the order of a column, reversed if the list already has this order."""
        first = FIRST_DIRECTION[name]
        return self.url(sort=REVERSED[first] if self.sort == first else first)

    def direction(self, name: str) -> str:
        """Return `ascending` or `descending` for the column that orders the list; empty for other columns."""
        if self.sort.removeprefix("-") != name:
            return ""
        return "descending" if self.sort.startswith("-") else "ascending"


def search_url(**values: str) -> str:
    """Return the address of the overview's list of series with these values of fields."""
    return ListView().url(search=Search().only(**values))


def _as_text(changes: dict[str, Any]) -> dict[str, Any]:
    search = changes.pop("search", None)
    return changes if search is None else {**changes, "text": str(search)}
