"""Runs declarations that tests write, over answers of AWS."""

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
    """The results of the scans of a declaration: series by signal and resource, errors and failures."""

    usage: dict[str, Any] = field(default_factory=dict)
    observed: dict[str, Observed] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    deleted: set[TypedPath] = field(default_factory=set)


async def run(text: str, **answers: Any) -> Run:
    """Run all scans of a declaration over answers by method."""
    declaration = parse_declaration(text.encode(), "demo.yaml")
    assert botocore_problems(declaration) == []
    aws, found = FakeAws(**answers), Run()
    for scan in collector_of(declaration).scans:
        try:
            async for observed in scan(aws.scan):
                name = f"{observed.signal} {observed.resource.display_name}".strip()
                assert name not in found.observed
                found.observed[name], found.usage[name] = observed, usage_text(observed.usage)
        except ExceptionGroup as group:
            found.errors += [described(error) for error in group.exceptions]
        except Exception as error:
            found.errors.append(described(error))
    found.failures = [failure_text(one) for one in aws.scan.failures]
    found.calls, found.deleted = aws.calls, aws.scan.not_found
    return found


def described(error: Exception) -> str:
    """Return the sentence of an error."""
    return failure_text(failure_from(error)) if isinstance(error, ClientError) else str(error)


def by_parameter(table: Mapping[str, Any]) -> Callable[..., Any]:
    """An answer for each value of the only parameter; denied for others."""

    def answer(**params: Any) -> Any:
        (value,) = params.values()
        return table.get(value) or denied()

    return answer


def gone(code: str) -> Any:
    """Return an error of AWS with this code."""
    return ClientError({"Error": {"Code": code, "Message": "gone"}}, "Operation")


def unread(kinds: str, *names: str) -> dict[str, str]:
    """The series that are unknown, as a kind could not be read as a whole."""
    return dict.fromkeys(names, f"unobservable: not all could be read: {kinds}")
