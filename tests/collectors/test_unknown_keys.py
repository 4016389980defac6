"""A key that no table of a declaration has, such as a new instance type, makes the limit unknown."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from collectors.declaration import Declaration
from collectors.declared import collector_of
from tests.collectors.declared_cases import DECLARATIONS, TABLES, Case, read_cases, run_case

DECLARATIONS_WITH_TABLES = [declaration for declaration in DECLARATIONS.values() if declaration.tables]
# Declarations with a table whose keys are texts, such as instance types, and not numbers.
DECLARATIONS_WITH_TEXT_KEYS = [
    declaration
    for declaration in DECLARATIONS_WITH_TABLES
    if any(not key.isdigit() for table in declaration.tables.values() for key in table)
]
CASES = list(read_cases(TABLES))
LIMITS = ("limit", "published_limit")


def replace_key(value: Any, key: str) -> Any:
    """Return an answer in which each text `key` is replaced by a text that is no key of a table."""
    if isinstance(value, Mapping):
        return {name: replace_key(member, key) for name, member in value.items()}
    if isinstance(value, list):
        return [replace_key(item, key) for item in value]
    return f"{value}+" if value == key else value


def texts(value: Any) -> Iterator[str]:
    """Yield every text within an answer."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts([*value.values()])
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def keys_in(case: Case, declaration: Declaration) -> set[str]:
    """Return the texts in a case's answers that are or contain a key of a table, as `db.r6g.large` does."""
    keys = {key for table in declaration.tables.values() for key in table}

    def has_key(text: str) -> bool:
        return not keys.isdisjoint({text, *text.split("."), text.partition(".")[2]})

    return {text for answer in case.answers.values() for text in texts(answer) if has_key(text)}


async def series_of(case: Case, declaration: Declaration) -> Mapping[str, Mapping[str, Any]]:
    series, _ = await run_case(case, collector_of(declaration))
    return series


def changed_limits(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the known limits after a change that differ from the limits before."""
    return [
        f"{name}: {field} was {series.get(field)}, is {after[name][field]}"
        for name, series in before.items()
        for field in LIMITS
        if name in after and after[name].get(field) not in (None, series.get(field))
    ]


@pytest.mark.parametrize("declaration", DECLARATIONS_WITH_TABLES, ids=lambda declaration: declaration.service)
async def test_a_limit_from_a_table_is_unknown_if_the_table_is_empty(declaration: Declaration) -> None:
    with_empty_tables = declaration.model_copy(update={"tables": {name: {} for name in declaration.tables}})
    changed_count = 0
    for case in (case for case in CASES if case.service == declaration.service):
        before, after = await series_of(case, declaration), await series_of(case, with_empty_tables)
        assert changed_limits(before, after) == []
        changed_count += sum(before[name] != after.get(name) for name in before)
    assert changed_count, "no series depends on the tables"


@pytest.mark.parametrize(
    "declaration", DECLARATIONS_WITH_TEXT_KEYS, ids=lambda declaration: declaration.service
)
async def test_a_key_that_no_table_has_never_gets_the_limit_of_a_similar_key(
    declaration: Declaration,
) -> None:
    changed_count = 0
    for case in (case for case in CASES if case.service == declaration.service):
        before = await series_of(case, declaration)
        for key in keys_in(case, declaration):
            answers = {call: replace_key(answer, key) for call, answer in case.answers.items()}
            after = await series_of(replace(case, answers=answers), declaration)
            assert changed_limits(before, after) == []
            changed_count += sum(before[name] != after.get(name) for name in before)
    assert changed_count, "no answer has a key of a table"
