"""Each declared service has the series that its table expects of AWS's answers."""

import pytest

from collectors.botocore_problems import botocore_problems
from collectors.declaration import Declaration
from collectors.declared import collector_of
from tests.collectors.declared_cases import (
    DECLARATIONS,
    TABLES,
    Case,
    differences,
    observe_case,
    read_cases,
    run_case,
)
from tests.metric_units import unit_conflicts
from tests.published_metrics import unpublished_metrics
from tests.registries import REGISTRY

CASES = list(read_cases(TABLES))


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_the_series_from_the_answers_of_a_table_are_those_of_the_table(case: Case) -> None:
    series, failures = await run_case(case, collector_of(DECLARATIONS[case.service]))
    assert differences(series, case.series) == []
    assert sorted(failures) == sorted(case.failures)  # sorted: resources are read concurrently, in any order


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_every_metric_is_published_with_its_dimensions_and_in_the_unit_of_the_signal(
    case: Case,
) -> None:
    series, _ = await observe_case(case, collector_of(DECLARATIONS[case.service]))
    signals = REGISTRY.services[case.service].signals
    assert [
        problem
        for observed in series
        for problem in (*unpublished_metrics(observed), *unit_conflicts(observed, signals[observed.signal]))
    ] == []


@pytest.mark.parametrize("service", DECLARATIONS)
def test_every_signal_and_every_call_of_a_service_is_in_its_table(service: str) -> None:
    cases = [case for case in CASES if case.service == service]
    signals = {name.partition(" ")[0] for case in cases for name in case.series}
    assert signals == DECLARATIONS[service].signals.keys()
    answered_calls = {key.partition("(")[0] for case in cases for key in case.answers}
    assert answered_calls == {".".join(call.call) for _, call in DECLARATIONS[service].calls() if call.call}


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=list(DECLARATIONS))
def test_botocore_knows_every_operation_parameter_and_path(declaration: Declaration) -> None:
    assert botocore_problems(declaration) == []
