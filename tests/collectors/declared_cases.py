"""The test tables `tests/collectors/<service>.yaml`: answers of AWS, and the series expected from them.

```yaml
cases:
  - name: what the case shows
    region: eu-west-1                          # the default
    answers:                                   # an operation without an answer is denied
      dynamodb.ListTables: {TableNames: [orders]}
      dynamodb.DescribeTable(orders): {...}    # for calls with a parameter of the value `orders`
      dynamodb.DescribeLimits: AccessDenied    # an error
      elbv2.DescribeRules: [{...}, {...}]      # pages
    series:                                    # all series, by signal and name of the resource
      table_read_capacity orders:
        usage: rate(ConsumedReadCapacityUnits{TableName=orders})
        limit: 100
    failures: ["orders: AccessDeniedException"]  # of a resource; for the whole scan, the code alone
```
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from collectors.base import PER_MINUTE, Bought, Collector, Metric, Observed, Op, Unobservable, Usage
from collectors.declaration_file import read_declaration
from monitor.aws.failure import failure_from
from rules.strict_yaml import parse
from tests.fake_aws import FakeAws

TABLES = Path(__file__).parent
DECLARATIONS = {
    path.stem: read_declaration(path) for path in sorted((TABLES.parents[1] / "collectors").glob("*.yaml"))
}
OPERATION_NAMES = {  # of a usage, in the test tables
    Op.POSITIVE: "positive",
    Op.SUM: "sum",
    Op.MAX: "max",
    Op.MIN: "min",
    Op.RISE: "rise",
    Op.RATIO: "ratio",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a table."""

    service: str
    name: str
    answers: Mapping[str, Any]
    series: Mapping[str, Mapping[str, Any]]
    failures: list[str] = field(default_factory=list)
    region: str = "eu-west-1"

    def __str__(self) -> str:
        return f"{self.service}: {self.name}"


def read_cases(folder: Path) -> Iterator[Case]:
    """Yield the cases of all tables in a folder."""
    for path in sorted(folder.glob("*.yaml")):
        data, problems = parse(path.read_bytes())
        assert not problems, problems
        for case in data["cases"]:
            yield Case(service=path.stem, **case)


async def run_case(
    case: Case, collector: Collector, malformed: bool = False
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Run all scans of a collector; return the series and the failures in the form of the tables.

    malformed: answers may contradict the service's model.
    """
    series, failures = await observe_case(case, collector, malformed)
    found = {
        f"{observed.signal} {observed.resource.display_name}".strip(): describe_series(observed)
        for observed in series
    }
    return found, failures


async def observe_case(
    case: Case, collector: Collector, malformed: bool = False
) -> tuple[list[Observed], list[str]]:
    """Run all scans of a collector; return the series, and the failures in the form of the tables.

    malformed: answers may contradict the service's model.
    """
    aws = FakeAws(region=case.region, malformed=malformed, **answers_by_method(case.answers))
    found: list[Observed] = []
    failures = []
    for scan in collector.scans:
        try:
            async for observed in scan(aws.scan):
                found.append(observed)
        except ExceptionGroup as group:
            failures += [
                failure_text(failure_from(error))
                for error in group.exceptions
                if isinstance(error, Exception)
            ]
        except ClientError as error:
            failures.append(failure_text(failure_from(error)))
    return found, [*failures, *map(failure_text, aws.scan.failures)]


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Return one line for each series or field in which the found series differ from the expected ones."""
    series = {name: (found.get(name), expected.get(name)) for name in [*expected, *found]}
    lines = [f"{name}: expected, not found" for name, (actual, _) in series.items() if actual is None]
    lines += [
        f"{name}: found {actual}, not expected" for name, (actual, wanted) in series.items() if wanted is None
    ]
    for name, (actual, wanted) in series.items():
        if actual is not None and wanted is not None:
            lines += [
                f"{name}: {member}: expected {wanted.get(member)}, found {actual.get(member)}"
                for member in dict.fromkeys((*wanted, *actual))
                if actual.get(member) != wanted.get(member)
            ]
    return lines


def failure_text(failure: Any) -> str:
    """Return a failure as `RESOURCE: CODE`, or the code alone for a failure of the whole scan."""
    return f"{failure.resource}: {failure.code}" if failure.resource else failure.code


def answers_by_method(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers of a case as FakeAws takes them: by the name of the client's method."""
    by_method: dict[str, dict[str, Any]] = {}
    for key, answer in answers.items():
        operation, _, value = key.partition("(")
        by_method.setdefault(xform_name(operation.partition(".")[2]), {})[value.removesuffix(")")] = answer
    return {method: _answer(by_value) for method, by_value in by_method.items()}


def _answer(by_value: Mapping[str, Any]) -> Any:
    if list(by_value) == [""]:
        return _response(by_value[""])

    def respond(**params: Any) -> Any:
        lists = (value if isinstance(value, list) else [value] for value in params.values())
        passed_values = {str(value) for values in lists for value in values}
        key = next((value for value in by_value if value in passed_values), "")
        return _response(by_value.get(key))

    return respond


def _response(answer: Any) -> Any:
    if isinstance(answer, str):
        return ClientError({"Error": {"Code": answer, "Message": "denied"}}, "Operation")
    return answer


def describe_series(observed: Observed) -> dict[str, Any]:
    """Return the fields of a series that differ from their defaults, in the form of the tables."""
    describers: dict[str, Callable[[Any], Any]] = {
        "usage": usage_text,
        "limit": float,
        "published_limit": usage_text,
        "throttled": usage_text,
        "throttled_by_cause": lambda causes: {cause: usage_text(usage) for cause, usage in causes.items()},
        "served": usage_text,
        "upper_bound": usage_text,
        "bounded_because": usage_text,
        "hard_limit": bool,
        "deliberate": bool,
        "bought": bought_text,
        "judged": bool,
        "created_at": float,
        "tags": dict,
    }

    def differs_from_default(name: str, value: Any) -> bool:
        if name == "usage":
            return True
        return value is False if name == "judged" else value not in (None, False, {})

    values = {name: getattr(observed, name, None) for name in describers}
    return {
        name: describers[name](value) for name, value in values.items() if differs_from_default(name, value)
    }


def bought_text(bought: Bought) -> str:
    """Return the terms on which a limit is bought as text: `gp3, 6000 of 500 to 50000, 3 included`."""
    items = "" if bought.items is None else f"{bought.items:g}"
    maximum = "" if bought.maximum is None else f" to {bought.maximum:g}"
    number = "unknown" if bought.included is None else f"{bought.included:g}"
    included = "" if bought.included == 0 else f", {number} included"
    return f"{bought.size}, {items} of {bought.minimum:g}{maximum}{included}"


def usage_text(usage: Usage | float | Unobservable | Metric) -> Any:
    """Return a usage as text: `rate(IncomingBytes{StreamName=orders})`; a number is returned as it is."""
    match usage:
        case Metric():
            return f"{usage.name}{{{', '.join(f'{name}={value}' for name, value in usage.dimensions)}}}"
        case Usage(op=Op.SUM, terms=((term, weight),)):
            return _with_offset(usage.offset, _weighted(term, weight))
        case Usage(op=Op.DIFFERENCE):
            texts = [_weighted(term, abs(weight)) for term, weight in usage.terms]
            return _with_offset(usage.offset, f"({' - '.join(texts)})")
        case Usage():
            terms = ", ".join(_weighted(term, weight) for term, weight in usage.terms)
            return _with_offset(usage.offset, f"{OPERATION_NAMES.get(usage.op, usage.op)}({terms})")
        case Unobservable():
            command = f" [{usage.enable_command}]" if usage.enable_command else ""
            return f"unobservable: {usage.reason}{command}"
    return usage


def _weighted(term: Metric | Usage, weight: float) -> str:
    """Return a term with its weight, as a declaration writes them."""
    text, per_minute = usage_text(term), round(weight / PER_MINUTE, 9)
    if round(weight, 9) != round(weight, 4):  # a multiple of 1/60: the weight of a rate
        return f"rate({text})" if per_minute == 1 else f"{per_minute:g} * rate({text})"
    return text if weight == 1 else f"{weight:g} * {text}"


def _with_offset(offset: float, text: str) -> str:
    return f"{offset:g} + {text}" if offset else text
