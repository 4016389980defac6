"""One operation of a declared service is denied: the signals that do not need it remain."""

from typing import Any

import pytest

from collectors.declaration import Declaration
from collectors.declared import collector_of
from collectors.reduced_declaration import reduce_declaration
from tests.collectors.answer_mutations import with_answer
from tests.collectors.declared_cases import DECLARATIONS, TABLES, Case, read_cases, run_case

NO_VALUE = "unobservable: AWS returned no value"
FIRST_CASES = {case.service: case for case in reversed(list(read_cases(TABLES)))}


def operations(declaration: Declaration) -> set[str]:
    """Return the operations that a service calls."""
    return {".".join(call.call) for _, call in declaration.calls() if call.call}


def with_denied_operation(case: Case, operation: str) -> Case:
    """Return the case with all calls of an operation denied."""
    for key in case.answers:
        if key.partition("(")[0] == operation:
            case = with_answer(case, key, "AccessDeniedException")
    return case


def remains(before: Any, after: Any) -> bool:
    """Return whether a series is as before, or has changed only as a denied operation may change it.

    after: None if the series is gone. Without the operation, a deleted resource may still be counted: a usage
    is unknown or higher.
    """
    if after is None:
        return False
    if after == before:
        return True
    old, new = before["usage"], after["usage"]
    return new == NO_VALUE or (isinstance(old, float) and isinstance(new, float) and old < new)


@pytest.mark.parametrize("service", DECLARATIONS)
async def test_signals_that_do_not_need_a_denied_operation_remain(service: str) -> None:
    declaration, case = DECLARATIONS[service], FIRST_CASES[service]
    collector = collector_of(declaration)
    needed_operations = {
        name: operations(reduce_declaration(declaration, {name})) for name in declaration.signals
    }
    before, _ = await run_case(case, collector)
    for operation in operations(declaration):
        after, _ = await run_case(with_denied_operation(case, operation), collector)
        changed_series = [
            name
            for name, series in before.items()
            if operation not in needed_operations[name.partition(" ")[0]]
            and not remains(series, after.get(name))
        ]
        assert changed_series == [], operation
