"""One operation of a declared service is denied: the signals that do not need it stay as they are."""

from typing import Any

import pytest

from collectors.declaration import Declaration
from collectors.declared import collector_of
from collectors.reduced_declaration import reduced
from tests.collectors.answer_mutations import with_answer
from tests.collectors.declared_cases import DECLARATIONS, TABLES, Case, read_cases, run_case

NO_VALUE = "unobservable: AWS returned no value"
FIRST_CASES = {case.service: case for case in reversed(list(read_cases(TABLES)))}


def operations(declaration: Declaration) -> set[str]:
    """The operations that a service calls."""
    return {".".join(call.call) for _, call in declaration.calls() if call.call}


def denying(case: Case, operation: str) -> Case:
    """The case in which all calls of an operation are denied."""
    for key in case.answers:
        if key.partition("(")[0] == operation:
            case = with_answer(case, key, "AccessDeniedException")
    return case


def is_kept(before: Any, after: Any) -> bool:
    """Return whether a series is as it was, or unknown because of a resource that may not be deleted."""
    if after == before or not after:
        return bool(after)
    usage, other = before["usage"], after["usage"]
    return other == NO_VALUE or (isinstance(usage, float) and isinstance(other, float) and usage < other)


@pytest.mark.parametrize("service", DECLARATIONS)
async def test_signals_that_do_not_need_a_denied_operation_remain(service: str) -> None:
    declaration, case = DECLARATIONS[service], FIRST_CASES[service]
    collector = collector_of(declaration)
    needed = {name: operations(reduced(declaration, {name})) for name in declaration.signals}
    before, _ = await run_case(case, collector)
    for operation in operations(declaration):
        after, _ = await run_case(denying(case, operation), collector)
        lost = [
            name
            for name, one in before.items()
            if operation not in needed[name.partition(" ")[0]] and not is_kept(one, after.get(name))
        ]
        assert lost == [], operation
