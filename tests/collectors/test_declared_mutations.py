"""Answers of AWS with one value changed: only series of the item with that value may change or be missing.

`FUZZ_ROUNDS=200 pytest tests/collectors/test_declared_mutations.py` makes more changes, and another value of
FUZZ_SEED makes different ones.
"""

import os
from functools import partial
from itertools import islice
from typing import Any

import pytest

from collectors.base import Observed
from collectors.declared import collector_of
from tests.collectors.answer_mutations import Mutation, mutations
from tests.collectors.declared_cases import DECLARATIONS, TABLES, Case, read_cases, run_case
from tests.fake_aws import FakeAws

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "2"))  # changes of each service
SEED = os.environ.get("FUZZ_SEED", "")
CASES = list(read_cases(TABLES))


async def series_of(case: Case) -> dict[str, Any]:
    """Return the series of a case, in the form of its table."""
    series, _ = await run_case(case, collector_of(DECLARATIONS[case.service]), malformed=True)
    return series


async def unexpected_changes(mutation: Mutation) -> list[str]:
    """Return a text for each series that must not change and that the mutation changes."""
    before, after = await series_of(mutation.case), await series_of(mutation.mutated_case)
    changed = [name for name, series in before.items() if after.get(name) != series]
    if not changed:
        return []
    without_item = await series_of(mutation.case_without_item)
    item_counted = without_item != before
    may_add_item = mutation.adds_item or not item_counted
    return [
        f"{mutation}: {name} was {before[name]}, is {after.get(name)}"
        for name in changed
        if without_item.get(name) == before[name]
        and not may_change(mutation.case.service, name, before[name], after.get(name), may_add_item)
    ]


def may_change(service: str, name: str, before: Any, after: Any, may_add_item: bool) -> bool:
    """Return whether a series of other items may change: a list could not be read, or has one item more.

    A series may be missing if its usage sums the facts of several resources and one fact is no number: the
    series of the previous inventory then remains. may_add_item: the mutation may add an item that is counted.
    """
    if after:
        return may_add_item or is_unread(before) or is_unread(after)
    usage = DECLARATIONS[service].signals[name.partition(" ")[0]].usage
    return bool(usage and usage.list_names)


def is_unread(series: Any) -> bool:
    """Return whether the usage of a series is unknown because a list could not be read."""
    return str(series["usage"]).startswith("unobservable: not all could be read: ")


@pytest.mark.parametrize("service", DECLARATIONS)
async def test_a_changed_value_affects_only_the_series_of_its_item(
    service: str, caplog: pytest.LogCaptureFixture
) -> None:
    cases = [case for case in CASES if case.service == service]
    for mutation in islice(mutations(cases, service + SEED), ROUNDS):
        assert await unexpected_changes(mutation) == []
        traces = [record.getMessage() for record in caplog.records if record.exc_info]
        assert traces == [], mutation


PAGES, PAGE_SIZE = 10, 1000


async def test_ten_thousand_items_are_read_page_by_page_and_an_invalid_item_affects_only_itself() -> None:
    """Series of a page are yielded before all later pages are requested, so that memory is bounded."""
    requested: list[int] = []

    def page(number: int, **_: object) -> dict[str, object]:
        requested.append(number)
        names = (f"page-{number}-{index}" for index in range(1, PAGE_SIZE))
        return {"repositories": [{"repositoryName": None}, *({"repositoryName": name} for name in names)]}

    aws = FakeAws(
        malformed=True,
        describe_repositories=[partial(page, number) for number in range(PAGES)],
        describe_pull_through_cache_rules={"pullThroughCacheRules": []},
        list_metrics={"Metrics": []},
    )
    pages_before: dict[str, int] = {}  # how many pages were requested when a series was yielded
    found: dict[str, Observed] = {}
    for scan in collector_of(DECLARATIONS["ecr"]).scans:
        async for observed in scan(aws.scan):
            if observed.signal == "images":
                pages_before.setdefault(observed.resource.display_name, len(requested))
            found[f"{observed.signal} {observed.resource.display_name}"] = observed
    assert len(pages_before) == PAGES * (PAGE_SIZE - 1)
    for name, page_count in pages_before.items():
        page_number = int(name.split("-")[1])
        assert page_count <= page_number + 2  # this page and the next one
    assert sorted(requested) == [*range(PAGES)]
    assert "not all could be read" in str(found["repositories "].usage)
