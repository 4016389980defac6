"""The list of the overview as its address describes it: the query, the order and the first row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import BaseModel, Field

from monitor.fleet.search import MAX_SEARCH_LENGTH, SERIES_FIELDS, Search, SearchTerm
from monitor.fleet.search_match import WILDCARDS
from monitor.fleet.series_order import DEFAULT_SORT, FIRST_DIRECTION, REVERSED, ListSort
from monitor.web.query_view import QueryView

WINDOW_ROWS: Final = 100
MAX_ROW: Final = 10_000_000
MAX_QUERIES: Final = 8  # parameters `q` in one address
OLD_PAGE_ROWS: Final = 25  # rows of a page in addresses of older versions


def joined_query(queries: Iterable[str], terms: Iterable[SearchTerm]) -> str:
    """Return the queries of an address and further terms as one query.

    It has at most one character more than a search may have, so that too long a query is reported.
    """
    text = " ".join([*filter(None, (query.strip() for query in queries)), *map(str, terms)])
    return text[: MAX_SEARCH_LENGTH + 1]


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
        return ListView(joined_query(self.q, self._old_terms()), self.sort, row)

    @property
    def is_canonical(self) -> bool:
        """False for an address that has a shorter form, to which it is redirected."""
        return len(self.q) <= 1 and self.page == 1 and not {*self.model_fields_set} - {"q", "sort", "row"}

    def _old_terms(self) -> Iterable[SearchTerm]:
        for name in SERIES_FIELDS.texts:
            if value := getattr(self, name):
                matches_part_of_name = name == "resource" and WILDCARDS.isdisjoint(value)
                yield SearchTerm(value, "" if matches_part_of_name else name)
        yield from (SearchTerm(zone, "zone") for zone in self.zone if zone)


@dataclass(frozen=True)
class ListView(QueryView):
    """The list that an address describes. row: the first row, from 1."""

    path: ClassVar[str] = "/"
    first_entry: ClassVar[Mapping[str, Any]] = {"row": 1}

    sort: ListSort = DEFAULT_SORT
    row: int = 1

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of the address; an empty one is left out."""
        sort = self.sort if self.sort != DEFAULT_SORT else ""
        return {"q": self.text, "sort": sort, "row": str(self.row) if self.row > 1 else ""}

    def url_sorted_by(self, name: str) -> str:
        """Return the address of the list in the order of a column; reversed if it has this order already."""
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
