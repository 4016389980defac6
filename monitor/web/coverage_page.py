"""The content of the page of the coverage of quotas: numbers, services, and one page of quotas."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import Field

from collectors.quotas import QUOTAS_SERVICE
from monitor.coverage.filters import CoverageFilters
from monitor.coverage.quota_coverage import Coverage, QuotaCoverage
from monitor.coverage.totals import CoverageTotals
from monitor.coverage.verdicts import CoverageState
from monitor.fleet.query import MAX_NAME_LENGTH
from monitor.web.list_view import search_url

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
    CoverageState.STALE: "what tells the usage was not read lately",
    CoverageState.VALUE_ONLY: "AWS tells the limit; nothing uses it, or it was not read yet",
    CoverageState.NO_USAGE_SOURCE: "AWS publishes no metric of it, and no list counts it",
}
CHANGEABLE = (CoverageState.NOT_ENABLED, CoverageState.NOT_PERMITTED)
COVERAGE_PATH = "/coverage"


class CoveragePageFilters(CoverageFilters):
    """The query of the page's URL.

    page: the number of the page of quotas; if no filter is set, of the page of services.
    """

    page: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 1

    @property
    def is_active(self) -> bool:
        """True if any filter is set."""
        return self.model_copy(update={"page": 1}) != CoveragePageFilters()

    def url(self, **changes: Any) -> str:
        """Return the URL of the page with these filters and changes; without `page` among them, of page 1."""
        fields = self.model_dump() | {"page": 1} | changes
        pairs = [(name, value) for name, value in fields.items() if value and (name, value) != ("page", 1)]
        return f"{COVERAGE_PATH}?{urlencode(pairs, errors='replace')}" if pairs else COVERAGE_PATH


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

    totals, shares: of the quotas that match all filters but the state.
    total: the number of quotas that match all filters.
    quotas: the quotas of this page.
    pages: the number of pages of quotas; if no filter is set, of pages of services.
    first_page: by state, the page on which its quotas begin.
    services: the services of this page; none if a filter is set.
    service_count: the number of services on all pages.
    places: the number of accounts and the number of regions.
    options: by filter, its possible values.
    unread: sentences about failed reads.
    notes: further sentences.
    """

    totals: CoverageTotals
    shares: Sequence[StateShare]
    total: int
    quotas: Sequence[QuotaCoverage]
    pages: int
    first_page: Mapping[CoverageState, int]
    services: Sequence[ServiceRow]
    service_count: int
    places: tuple[int, int]
    options: Mapping[str, Sequence[str]]
    unread: Sequence[str]
    notes: Sequence[str]


def coverage_page(coverage: Coverage, filters: CoveragePageFilters) -> CoveragePage:
    """Return the content of a page. It may take long: call it outside the event loop."""
    in_any_state = [quota for quota in coverage.quotas() if filters.matches_without_state(quota)]
    totals = CoverageTotals.of(in_any_state)
    matching = sorted(filter(filters.matches, in_any_state), key=lambda quota: STATES.index(quota.state))
    services = [] if filters.is_active else _services(in_any_state)
    if filters.is_active:
        shown, pages = _page(matching, filters.page, QUOTAS_PER_PAGE), -(-len(matching) // QUOTAS_PER_PAGE)
    else:
        shown = [quota for quota in matching if quota.state in CHANGEABLE][:MAX_FIRST_QUOTAS]
        pages = -(-len(services) // SERVICES_PER_PAGE)
    cells = coverage.known.keys()
    return CoveragePage(
        totals=totals,
        shares=_shares(totals.states),
        total=len(matching),
        quotas=shown,
        pages=max(pages, 1),
        first_page=_first_pages(matching),
        services=_page(services, filters.page, SERVICES_PER_PAGE),
        service_count=len(services),
        places=(len({account for account, _ in cells}), len({region for _, region in cells})),
        options={
            "service_code": coverage.service_codes,
            "account": sorted({account for account, _ in cells}),
            "region": sorted({region for _, region in cells}),
        },
        unread=[*coverage.unread()],
        notes=coverage.notes(),
    )


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
        ServiceRow(code, _shares(totals.states), totals)
        for code, totals in ((code, CoverageTotals.of(of_code)) for code, of_code in by_code.items())
    ]
    return sorted(
        rows,
        key=lambda row: (-sum(row.totals.states.get(state, 0) for state in CHANGEABLE), row.service_code),
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
