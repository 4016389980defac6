"""The state of a page that lists what matches a query, as the address of the page tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self
from urllib.parse import quote_plus, urlencode

from monitor.fleet.search import SERIES_FIELDS, Search, SearchError, SearchFields, SearchTerm, parse_search


@dataclass(frozen=True)
class QueryView:
    """The list on a page, narrowed by a query.

    text: the query as it was typed. path: the address without parameters. first_entry: the values of
    the attributes that show the list from its first entry.
    """

    path: ClassVar[str]
    fields: ClassVar[SearchFields] = SERIES_FIELDS
    first_entry: ClassVar[Mapping[str, Any]]

    text: str = ""

    @cached_property
    def _parsed(self) -> tuple[Search, str]:
        try:
            return parse_search(self.text, self.fields), ""
        except SearchError as error:
            return Search(), str(error)

    @property
    def search(self) -> Search:
        """The query; an empty query if the text is invalid."""
        return self._parsed[0]

    @property
    def problem(self) -> str:
        """The reason why the text is not a valid query; empty if it is valid."""
        return self._parsed[1]

    @property
    def has_query(self) -> bool:
        """True if the query has terms, or the text is invalid."""
        return bool(self.search) or bool(self.problem)

    @property
    def free_text(self) -> str:
        """The text in the search field: the words of the query, or the whole text if it is invalid."""
        return self.text if self.problem else " ".join(map(str, self.search.words))

    @property
    def chips(self) -> list[SearchTerm]:
        """The terms that are shown as chips: the terms with a field."""
        return [term for term in self.search.terms if term.field]

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of the address; an empty one is left out."""
        return {"q": self.text}

    def url(self, **changes: Any) -> str:
        """Return the address of the list; with changes, see `with_changes`."""
        view = self.with_changes(**changes) if changes else self
        parameters = [(name, value) for name, value in view.parameters.items() if value]
        if not parameters:
            return self.path
        return f"{self.path}?" + urlencode(parameters, safe=":,*/<", quote_via=quote_plus, errors="replace")

    def with_changes(self, **changes: Any) -> Self:
        """Return the list with other values of attributes, from its first entry. search: another query."""
        search = changes.pop("search", None)
        text = {} if search is None else {"text": str(search)}
        return replace(self, **{**self.first_entry, **changes, **text})

    def url_without(self, term: SearchTerm) -> str:
        """Return the address without a term."""
        return self.url(search=self.search.without(term))

    def url_toggled(self, value: str, field: str) -> str:
        """Return the address with a term added, or without the term if the query has it."""
        return self.url(search=self.search.toggled(SearchTerm(value, field)))

    def has(self, value: str, field: str) -> bool:
        """Return whether the query has a term with this value and field."""
        return SearchTerm(value, field) in self.search.terms
