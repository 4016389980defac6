"""An instance type that no table of a declaration has: there is no limit, never that of a similar one."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from collectors.declaration import Declaration
from collectors.declared import collector_of
from tests.collectors.declared_cases import DECLARATIONS, TABLES, Case, read_cases, run_case

WITH_TABLES = [declaration for declaration in DECLARATIONS.values() if declaration.tables]
# Tables by texts, not by numbers.
WITH_TYPES = [
    one for one in WITH_TABLES if any(not key.isdigit() for table in one.tables.values() for key in table)
]
CASES = list(read_cases(TABLES))
LIMITS = ("limit", "published_limit")


def with_unknown(value: Any, known: str) -> Any:
    """An answer in which a text, wherever it is, is one that no table has."""
    if isinstance(value, Mapping):
        return {name: with_unknown(one, known) for name, one in value.items()}
    if isinstance(value, list):
        return [with_unknown(one, known) for one in value]
    return f"{value}+" if value == known else value


def texts(value: Any) -> Iterator[str]:
    """Every text within an answer."""
    if isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


def keys_in(case: Case, declaration: Declaration) -> set[str]:
    """The texts in the answers of a case that are keys of tables, alone or as a part: `db.r6g.large`."""
    keys = {key for table in declaration.tables.values() for key in table}
    found = {one for answer in case.answers.values() for one in texts(answer)}
    return {one for one in found if not keys.isdisjoint({one, *one.split("."), one.partition(".")[2]})}


async def series_of(case: Case, declaration: Declaration) -> Mapping[str, Mapping[str, Any]]:
    found, _ = await run_case(case, collector_of(declaration))
    return found


def other_limits(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The limits that series have now, and had not before."""
    return [
        f"{name}: {field} was {one.get(field)}, is {after[name][field]}"
        for name, one in before.items()
        for field in LIMITS
        if name in after and after[name].get(field) not in (None, one.get(field))
    ]


@pytest.mark.parametrize("declaration", WITH_TABLES, ids=lambda one: one.service)
async def test_a_limit_of_a_table_is_unknown_without_its_entry(declaration: Declaration) -> None:
    empty = declaration.model_copy(update={"tables": {name: {} for name in declaration.tables}})
    lost = 0
    for case in (case for case in CASES if case.service == declaration.service):
        before, after = await series_of(case, declaration), await series_of(case, empty)
        assert other_limits(before, after) == []
        lost += sum(before[name] != after.get(name) for name in before)
    assert lost, "its tables decide on something"


@pytest.mark.parametrize("declaration", WITH_TYPES, ids=lambda one: one.service)
async def test_a_type_that_no_table_has_has_not_the_limit_of_a_similar_one(declaration: Declaration) -> None:
    lost = 0
    for case in (case for case in CASES if case.service == declaration.service):
        before = await series_of(case, declaration)
        for known in keys_in(case, declaration):
            answers = {key: with_unknown(answer, known) for key, answer in case.answers.items()}
            after = await series_of(replace(case, answers=answers), declaration)
            assert other_limits(before, after) == []
            lost += sum(before[name] != after.get(name) for name in before)
    assert lost, "an answer has the key of a table"
