"""The search query of the coverage, in the overview's language: `state:not_enabled service:ec2 vCPU`."""

from collections.abc import Callable, Iterable
from typing import Final

from monitor.coverage.quota_coverage import QuotaCoverage
from monitor.coverage.verdicts import CoverageState
from monitor.fleet.search import Search, SearchFields, SearchTerm
from monitor.fleet.search_match import text_predicate

STATE: Final = "state"
QUOTA_FIELDS: Final = SearchFields(
    texts=("service", "account", "region"), values={STATE: tuple(state.value for state in CoverageState)}
)
QuotaPredicate = Callable[[QuotaCoverage], bool]


def matching_quotas(search: Search, quotas: Iterable[QuotaCoverage]) -> list[QuotaCoverage]:
    """Return the quotas that a query matches. A word matches a part of a name or code."""
    excluded = [_predicate(term) for term in search.terms if term.excluded]
    required = [term for term in search.terms if not term.excluded]
    fields = dict.fromkeys(term.field for term in required if term.field)
    all_of = [_any_of([term for term in required if term.field == field]) for field in fields]
    all_of += [_predicate(term) for term in required if not term.field]
    return [
        quota
        for quota in quotas
        if all(matches(quota) for matches in all_of) and not any(matches(quota) for matches in excluded)
    ]


def field_value(quota: QuotaCoverage, field: str) -> str:
    """Return the value that a quota has in a field of a query."""
    if field == STATE:
        return quota.state.value
    return {"service": quota.service_code, "account": quota.account, "region": quota.region}[field]


def _any_of(terms: Iterable[SearchTerm]) -> QuotaPredicate:
    predicates = [_predicate(term) for term in terms]
    return lambda quota: any(matches(quota) for matches in predicates)


def _predicate(term: SearchTerm) -> QuotaPredicate:
    if term.field:
        is_value = text_predicate(term.value.casefold())
        return lambda quota: is_value(field_value(quota, term.field).casefold())
    is_part = text_predicate(f"*{term.value.casefold()}*")
    return lambda quota: any(
        is_part(text.casefold()) for text in (quota.name, quota.code, quota.service_code)
    )
