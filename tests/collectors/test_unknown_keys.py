"""An instance type that no table of a declaration has: there is no limit, never that of a similar one."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from collectors.declaration import Declaration
from collectors.declared import collector_of
from tests.collectors.declared_cases import DECLARATIONS, TABLES, Case, read_cases, run_case

WITH_TABLES = [declaration for declaration in DECLARATIONS.values() if declaration.tables]
# Those with a table whose keys are texts, such as instance types, and not numbers.
WITH_TYPES = [
    one for one in WITH_TABLES if any(not key.isdigit() for table in one.tables.values() for key in table)
]
CASES = list(read_cases(TABLES))
LIMITS = ("limit", "published_limit")


def replace_known(value: Any, known: str) -> Any:
    """An answer in which each text `known` is replaced by one that is no key of a table."""
    if isinstance(value, Mapping):
        return {name: replace_known(one, known) for name, one in value.items()}
    if isinstance(value, list):
        return [replace_known(one, known) for one in value]
    return f"{value}+" if value == known else value


def texts(value: Any) -> Iterator[str]:
    """Every text within an answer."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts([*value.values()])
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


def keys_in(case: Case, declaration: Declaration) -> set[str]:
    """The texts in the answers of a case that are keys of tables, alone or as a part: `db.r6g.large`."""
    keys = {key for table in declaration.tables.values() for key in table}
    found = {one for answer in case.answers.values() for one in texts(answer)}
    return {one for one in found if not keys.isdisjoint({one, *one.split("."), one.partition(".")[2]})}


async def series_of(case: Case, declaration: Declaration) -> Mapping[str, Mapping[str, Any]]:
    found, _ = await run_case(case, collector_of(declaration))
    return found


def other_limits(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The limits that are known after a change and differ from those before."""
    return [
        f"{name}: {field} was {one.get(field)}, is {after[name][field]}"
        for name, one in before.items()
        for field in LIMITS
        if name in after and after[name].get(field) not in (None, one.get(field))
    ]


@pytest.mark.parametrize("declaration", WITH_TABLES, ids=lambda one: one.service)
async def test_a_limit_of_a_table_is_unknown_without_its_entry(declaration: Declaration) -> None:
    empty = declaration.model_copy(update={"tables": {name: {} for name in declaration.tables}})
    changed = 0
    for case in (case for case in CASES if case.service == declaration.service):
        before, after = await series_of(case, declaration), await series_of(case, empty)
        assert other_limits(before, after) == []
        changed += sum(before[name] != after.get(name) for name in before)
    assert changed, "some series depends on its tables"


@pytest.mark.parametrize("declaration", WITH_TYPES, ids=lambda one: one.service)
async def test_an_unknown_type_never_has_the_limit_of_a_similar_one(declaration: Declaration) -> None:
    changed = 0
    for case in (case for case in CASES if case.service == declaration.service):
        before = await series_of(case, declaration)
        for known in keys_in(case, declaration):
            answers = {key: replace_known(answer, known) for key, answer in case.answers.items()}
            after = await series_of(replace(case, answers=answers), declaration)
            assert other_limits(before, after) == []
            changed += sum(before[name] != after.get(name) for name in before)
    assert changed, "some answer has a key of a table"
