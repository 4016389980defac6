"""The content of the page of the coverage of quotas: numbers, services, and one page of quotas."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from collectors.quotas import QUOTAS_SERVICE
from monitor.coverage.quota_coverage import Coverage, QuotaCoverage
from monitor.coverage.search import QUOTA_FIELDS, STATE, field_value, matching_quotas
from monitor.coverage.totals import CoverageTotals
from monitor.coverage.verdicts import CoverageState
from monitor.fleet.query import MAX_NAME_LENGTH
from monitor.fleet.search import SearchFields, SearchTerm
from monitor.web.list_view import MAX_QUERIES, joined_query, search_url
from monitor.web.query_view import QueryView

MAX_FACETS = 20  # values of a field in the sheet of filters
MAX_PAGE = 100_000
QUOTAS_PER_PAGE = 50
SERVICES_PER_PAGE = 40
MAX_FIRST_QUOTAS = 12  # quotas that the user can change, shown on the page of all services
MAX_UNREAD = 20  # sentences about failed reads
STATES = tuple(CoverageState)  # the states that the user can change come first
MEANINGS = {
    CoverageState.WATCHED: "usage and limit are known and judged",
    CoverageState.NOT_ENABLED: "a setting or a metric must be switched on first",
    CoverageState.NOT_PERMITTED: "a permission is missing",
    CoverageState.STALE: "the source of the usage was not read lately",
    CoverageState.VALUE_ONLY: "AWS tells the limit; no usage was found, or none was read yet",
    CoverageState.NO_USAGE_SOURCE: (
        "AWS publishes no metric of it, and no List or Describe call returns what could be counted"
    ),
}
CHANGEABLE = (CoverageState.NOT_ENABLED, CoverageState.NOT_PERMITTED)


class CoverageParameters(BaseModel):
    """The parameters of the page's address. `account` to `text` are parameters of older versions."""

    q: list[str] = Field(default=[], max_length=MAX_QUERIES)
    page: int = Field(default=1, ge=1, le=MAX_PAGE)
    account: str = ""
    region: str = ""
    service_code: str = ""
    state: str = ""
    text: str = ""

    @property
    def view(self) -> "CoverageView":
        """The list that the parameters describe."""
        return CoverageView(joined_query(self.q, self._old_terms()), self.page)

    @property
    def is_canonical(self) -> bool:
        """False for an address that has a shorter form, to which it is redirected."""
        return len(self.q) <= 1 and not {*self.model_fields_set} - {"q", "page"}

    def _old_terms(self) -> Iterable[SearchTerm]:
        values = {"service": self.service_code, "account": self.account, "region": self.region}
        values |= {STATE: self.state, "": self.text}
        return (SearchTerm(value, field) for field, value in values.items() if value)


@dataclass(frozen=True)
class CoverageView(QueryView):
    """The list that an address describes.

    page: the number of the page, of quotas; without a query, of services.
    """

    path: ClassVar[str] = "/coverage"
    fields: ClassVar[SearchFields] = QUOTA_FIELDS
    first_entry: ClassVar[Mapping[str, Any]] = {"page": 1}

    page: int = 1

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of the address; an empty one is left out."""
        return {"q": self.text, "page": str(self.page) if self.page > 1 else ""}


@dataclass(frozen=True, slots=True)
class StateShare:
    """The number of quotas in a state. start, width: of the state's part of the bar, in percent."""

    state: CoverageState
    number: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """The numbers of quotas of a service code; the watched quotas are the first share."""

    service_code: str
    shares: Sequence[StateShare]
    totals: CoverageTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveragePage:
    """The content of the page.

    totals, shares: of the quotas that match the query without its terms about states.
    known_count: the number of all quotas.
    total: the number of quotas that match the query.
    quotas: the quotas of this page.
    pages: the number of pages of quotas; without a query, of pages of services.
    first_page: by state, the page on which its quotas begin.
    services: the services of this page; empty if there is a query.
    service_count: the number of services on all pages.
    places: the number of accounts and the number of regions.
    facets: by field of the query, its values with their numbers of quotas, the most frequent first.
    unread: sentences about failed reads.
    notes: further sentences.
    """

    totals: CoverageTotals
    shares: Sequence[StateShare]
    known_count: int
    total: int
    quotas: Sequence[QuotaCoverage]
    pages: int
    first_page: Mapping[CoverageState, int]
    services: Sequence[ServiceRow]
    service_count: int
    places: tuple[int, int]
    facets: Mapping[str, Sequence[tuple[str, int]]]
    unread: Sequence[str]
    notes: Sequence[str]


def coverage_page(coverage: Coverage, view: CoverageView) -> CoveragePage:
    """Return the content of a page. It may take long: call it outside the event loop."""
    known = [*coverage.quotas()]
    in_any_state = matching_quotas(view.search.without_field(STATE), known)
    totals = CoverageTotals.of(in_any_state)
    matching = sorted(matching_quotas(view.search, in_any_state), key=lambda quota: STATES.index(quota.state))
    services = [] if view.search else _services(in_any_state)
    if view.search:
        quotas = _page(matching, view.page, QUOTAS_PER_PAGE)
        page_count = ceil(len(matching) / QUOTAS_PER_PAGE)
    else:
        quotas = [quota for quota in matching if quota.state in CHANGEABLE][:MAX_FIRST_QUOTAS]
        page_count = ceil(len(services) / SERVICES_PER_PAGE)
    cells = coverage.known.keys()
    return CoveragePage(
        totals=totals,
        shares=_shares(totals.count_by_state),
        known_count=len(known),
        total=len(matching),
        quotas=quotas,
        pages=max(page_count, 1),
        first_page=_first_pages(matching),
        services=_page(services, view.page, SERVICES_PER_PAGE),
        service_count=len(services),
        places=(len({account for account, _ in cells}), len({region for _, region in cells})),
        facets={field: _facet(known, field) for field in QUOTA_FIELDS.texts},
        unread=[*coverage.unread()],
        notes=coverage.notes(),
    )


def _facet(quotas: Iterable[QuotaCoverage], field: str) -> Sequence[tuple[str, int]]:
    """Return the values of a field with their numbers of quotas, the most frequent first."""
    counts = Counter(field_value(quota, field) for quota in quotas)
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:MAX_FACETS]


def series_url(signal: str, quota: QuotaCoverage) -> str:
    """Return the URL of the overview with the series of a signal that a quota limits."""
    service, name = signal.split(".", 1)
    resource = {"resource": quota.name[:MAX_NAME_LENGTH]} if service == QUOTAS_SERVICE else {}
    return search_url(account=quota.account, region=quota.region, service=service, signal=name, **resource)


def _page(items: Sequence[Any], page: int, size: int) -> Sequence[Any]:
    return items[(page - 1) * size : page * size]


def _services(quotas: Iterable[QuotaCoverage]) -> list[ServiceRow]:
    """Return the services; the services with most quotas in CHANGEABLE states come first."""
    by_code = defaultdict[str, list[QuotaCoverage]](list)
    for quota in quotas:
        by_code[quota.service_code].append(quota)
    rows = [
        ServiceRow(code, _shares(totals.count_by_state), totals)
        for code, totals in ((code, CoverageTotals.of(of_code)) for code, of_code in by_code.items())
    ]
    return sorted(
        rows,
        key=lambda row: (
            -sum(row.totals.count_by_state.get(state, 0) for state in CHANGEABLE),
            row.service_code,
        ),
    )


def _shares(states: Mapping[CoverageState, int]) -> list[StateShare]:
    """Return the parts of a bar; the part of the watched quotas is on the left."""
    order = (CoverageState.WATCHED, *(state for state in STATES if state is not CoverageState.WATCHED))
    total = max(sum(states.values()), 1)
    widths = [100 * states.get(state, 0) / total for state in order]
    starts = [0.0, *accumulate(widths)]
    return [
        StateShare(state, states.get(state, 0), start, width)
        for state, start, width in zip(order, starts, widths, strict=False)
    ]


def _first_pages(quotas: Sequence[QuotaCoverage]) -> Mapping[CoverageState, int]:
    """Return the page on which the quotas of each state begin."""
    numbers = Counter(quota.state for quota in quotas)
    counts = [numbers[state] for state in STATES]
    starts = [0, *accumulate(counts)]
    return {
        state: start // QUOTAS_PER_PAGE + 1
        for state, start, number in zip(STATES, starts, counts, strict=False)
        if number
    }
