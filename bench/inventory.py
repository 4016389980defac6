"""The cost of the inventory of one cell with 2,000 resources over all declared services: calls and CPU time.

`python bench/inventory.py [copies]`: a fake AWS in this process lists so many copies (9 make about 2,000) of
the items in the services' tables of tests, equal but for the numbers in their ids; parts of
resources are as many as in the tables. The CPU time has that of the fake AWS in it.
Target for 2,000: at most 400 calls, at most 5 s of CPU time.
"""

import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from collectors.declaration import ResourceDeclaration
from collectors.declared import collector_of
from collectors.expression import ExpressionError
from tests.collectors.declared_cases import DECLARATIONS, TABLES, Case, answers_by_method, read_cases
from tests.fake_aws import FakeAws

NUMBER = re.compile(r"~(\d+)")


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """A value with a change of all texts in it."""
    if isinstance(value, Mapping):
        return {name: changed(one, change) for name, one in value.items()}
    if isinstance(value, list):
        return [changed(one, change) for one in value]
    return change(value) if isinstance(value, str) else value


def with_number(value: Any, identity: str, number: str) -> Any:
    """A value with a number after each mention of an id."""
    return changed(value, lambda text: text.replace(identity, f"{identity}~{number}"))


def identity_of(declared: ResourceDeclaration, item: Any) -> Any:
    """The id of the resource that an item describes; None where it has none."""
    with suppress(ExpressionError):
        return declared.id.search(item)
    return None


def multiplied(case: Case, copies: int) -> dict[str, Any]:
    """The answers of a case in which resources that are no parts of others are there so many times."""
    answers = dict(case.answers)
    for declared in DECLARATIONS[case.service].resources.values():
        if declared.parent or not declared.list or not declared.list.call or not declared.list.items:
            continue
        key = ".".join(declared.list.call)
        pages = answers.get(key)
        for page in pages if isinstance(pages, list) else [pages]:
            items = declared.list.items.search(page) if isinstance(page, dict) else None
            if isinstance(page, dict) and isinstance(items, list) and declared.list.items.text.isidentifier():
                found = [(item, identity_of(declared, item)) for item in items]
                page[declared.list.items.text] = items + [
                    with_number(item, identity, str(number))
                    for item, identity in found
                    if isinstance(identity, str)
                    for number in range(1, copies)
                ]
    return answers


def of_copies(answer: Any) -> Any:
    """An answer to a call with numbered ids: that to the call without, with the numbers of the call."""
    if not callable(answer):
        original: Callable[..., Any] = lambda **_: answer  # noqa: E731
    else:
        original = answer

    def respond(**params: Any) -> Any:
        asked = [
            text for value in params.values() for text in (value if isinstance(value, list) else [value])
        ]
        numbered = [one for one in asked if isinstance(one, str) and NUMBER.search(one)]
        found = original(**changed(params, lambda text: NUMBER.sub("", text)))
        if not numbered or not isinstance(found, Mapping):
            return found
        pairs = [(NUMBER.sub("", one), NUMBER.search(one)[1]) for one in numbered]  # type: ignore[index]
        if len(pairs) == 1:
            return with_number(found, *pairs[0])
        return {
            name: [with_number(one, *pair) for pair in pairs for one in items if pair[0] in str(one)]
            if isinstance(items, list)
            else items
            for name, items in found.items()
        }

    return respond


async def main(copies: int) -> None:
    """Read all services once, and print what it costs."""
    cases: dict[str, Case] = {}
    for case in read_cases(TABLES):
        cases.setdefault(case.service, case)
    calls, operations, seconds, found = Counter[str](), Counter[str](), 0.0, 0
    for service, case in cases.items():
        table = answers_by_method(multiplied(case, copies))
        answers: dict[str, Any] = {
            name: one if isinstance(one, list) else of_copies(one) for name, one in table.items()
        }
        aws = FakeAws(malformed=True, region=case.region, **answers)
        names, start = set(), time.process_time()
        for scan in collector_of(DECLARATIONS[service]).scans:
            try:
                names |= {observed.resource.typed_path async for observed in scan(aws.scan)}
            except ExceptionGroup as group:
                print(service, group.exceptions[0])
        seconds += time.process_time() - start
        operations.update(aws.calls)
        calls[service], found = len(aws.calls), found + len(names)
    print(f"{found} resources of {len(cases)} services: {calls.total()} calls, {seconds:.1f} s of CPU")
    print("most calls:", ", ".join(f"{name} {number}" for name, number in operations.most_common(12)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 9))
