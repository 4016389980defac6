"""Runs the scans of declarations that tests write, over fake answers of AWS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from collectors.base import Observed
from collectors.botocore_problems import botocore_problems
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.resource import TypedPath
from monitor.aws.failure import failure_from
from tests.collectors.declared_cases import failure_text, usage_text
from tests.fake_aws import FakeAws, denied


@dataclass
class Run:
    """The results of the scans of a declaration.

    usage: by `SIGNAL RESOURCE`, the usage of a series as `usage_text` writes it. observed: the series, by the
    same keys. errors: the errors that ended a scan. failures: the failures that `Aws.map` reported.
    calls: the calls in order. deleted: the resources that no longer exist.
    """

    usage: dict[str, Any] = field(default_factory=dict)
    observed: dict[str, Observed] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    deleted: set[TypedPath] = field(default_factory=set)


async def run(text: str, **answers: Any) -> Run:
    """Run all scans of a declaration. text: its YAML. answers: the answers of AWS, by the client's method."""
    declaration = parse_declaration(text.encode(), "demo.yaml")
    assert botocore_problems(declaration) == []
    aws, result = FakeAws(**answers), Run()
    for scan in collector_of(declaration).scans:
        try:
            async for observed in scan(aws.scan):
                name = f"{observed.signal} {observed.resource.display_name}".strip()
                assert name not in result.observed
                result.observed[name], result.usage[name] = observed, usage_text(observed.usage)
        except ExceptionGroup as group:
            result.errors += [error_text(error) for error in group.exceptions]
        except Exception as error:
            result.errors.append(error_text(error))
    result.failures = [failure_text(failure) for failure in aws.scan.failures]
    result.calls, result.deleted = aws.calls, aws.scan.not_found
    return result


def error_text(error: Exception) -> str:
    """Return the text of an error; of a ClientError, its code."""
    return failure_text(failure_from(error)) if isinstance(error, ClientError) else str(error)


def by_parameter(table: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a method that answers by the value of its only parameter; values not in `table` are denied."""

    def answer(**params: Any) -> Any:
        (value,) = params.values()
        return table.get(value) or denied()

    return answer


def not_found_error(code: str) -> Any:
    """Return the error that AWS returns for a resource that no longer exists. code: the error's code."""
    return ClientError({"Error": {"Code": code, "Message": "gone"}}, "Operation")


def unobservable_usages(kinds: str, *names: str) -> dict[str, str]:
    """Return the usage of the named series if not all resources of `kinds` could be read."""
    return dict.fromkeys(names, f"unobservable: not all could be read: {kinds}")
