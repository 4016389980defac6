"""The cost of the inventories of one cell with 2,000 resources over all services: calls and CPU time.

`python bench/inventory.py [copies] [--detail] [--inventories N]`: a fake AWS in this process lists each item
of the services' test tables `copies` times (9 copies make about 2,000 resources), with another number in the
id of each copy. A copy has as many parts as its original, and all items of a list are on one page. The CPU
time includes that of the fake AWS. The signals are those of the default configuration; with `--detail`, all.
Service Quotas is not measured, as it has intervals and a budget of calls of its own.
Target for each inventory of 2,000 resources: at most 400 calls, at most 5 s of CPU time.
"""

import asyncio
import re
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from collectors.base import Collector
from collectors.declaration import ResourceDeclaration
from collectors.declared import collector_of
from collectors.expression import ExpressionError
from collectors.resource import TypedPath
from monitor.aws.scan import Scan
from monitor.aws.turns import CallTurns
from monitor.config.config import Config
from tests.collectors.declared_cases import DECLARATIONS, TABLES, Case, answers_by_method, read_cases
from tests.fake_aws import FakeAws
from tests.kinesis_answers import SHARD_LIMITS, stream_names, stream_summary
from tests.registries import REGISTRY

NUMBER = re.compile(r"~(\d+)")  # after the id of a copy


def change_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a copy of a value in which all texts are changed."""
    if isinstance(value, Mapping):
        return {name: change_texts(member, change) for name, member in value.items()}
    if isinstance(value, list):
        return [change_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def with_number(value: Any, identity: str, number: str) -> Any:
    """Return a copy of a value with a number after each mention of an id."""
    return change_texts(value, lambda text: text.replace(identity, f"{identity}~{number}"))


def identity_of(declared: ResourceDeclaration, item: Any) -> Any:
    """Return the id of the resource that an item describes; None if the item has none."""
    with suppress(ExpressionError):
        return declared.id.search(item)
    return None


def join_pages(answer: Any) -> Any:
    """Return an answer of a test table, whose pages hold few items, with all items on one page."""
    if not isinstance(answer, list) or not all(isinstance(page, dict) for page in answer):
        return answer
    joined: dict[str, Any] = {}
    for page in answer:
        for name, value in page.items():
            is_continued = isinstance(value, list) and isinstance(joined.get(name), list)
            joined[name] = joined[name] + value if is_continued else value
    return joined


def answers_with_copies(case: Case, copies: int) -> dict[str, Any]:
    """Return the answers of a case, in which each resource that has no parent is listed `copies` times."""
    answers = {key: join_pages(answer) for key, answer in case.answers.items()}
    for declared in DECLARATIONS[case.service].resources.values():
        if declared.parent or not declared.list or not declared.list.call or not declared.list.items:
            continue
        key = ".".join(declared.list.call)
        page = answers.get(key)
        items = declared.list.items.search(page) if isinstance(page, dict) else None
        if isinstance(page, dict) and isinstance(items, list) and declared.list.items.text.isidentifier():
            identified = [(item, identity_of(declared, item)) for item in items]
            page[declared.list.items.text] = items + [
                with_number(item, identity, str(number))
                for item, identity in identified
                if isinstance(identity, str)
                for number in range(1, copies)
            ]
    return answers


def answering_numbered_ids(answer: Any) -> Any:
    """Return a function that answers calls whose ids have numbers.

    It answers as `answer` does for the ids without numbers, and adds the numbers to the ids of the response.
    answer: a function, or the response to every call.
    """
    if not callable(answer):
        original: Callable[..., Any] = lambda **_: answer  # noqa: E731
    else:
        original = answer

    def respond(**params: Any) -> Any:
        values = [
            item for value in params.values() for item in (value if isinstance(value, list) else [value])
        ]
        numbered = [text for text in values if isinstance(text, str) and NUMBER.search(text)]
        response = original(**change_texts(params, lambda text: NUMBER.sub("", text)))
        if not numbered or not isinstance(response, Mapping):
            return response
        pairs = [(NUMBER.sub("", text), NUMBER.search(text)[1]) for text in numbered]  # type: ignore[index]
        if len(pairs) == 1:
            return with_number(response, *pairs[0])

        def numbered_items(items: list[Any]) -> list[Any]:
            return [with_number(item, *pair) for pair in pairs for item in items if pair[0] in str(item)]

        return {
            name: numbered_items(value) if isinstance(value, list) else value
            for name, value in response.items()
        }

    return respond


def python_collector_answers(copies: int) -> dict[str, dict[str, Any]]:
    """Return answers for the collectors written in Python, by service: 4 * `copies` resources of each."""
    names = [
        f"{name}~{number}" for name in ("orders", "clicks", "mails", "images") for number in range(copies)
    ]
    limits = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}
    no_stages: dict[str, Any] = {"item": []}
    return {
        "kinesis": {
            "describe_limits": SHARD_LIMITS,
            "list_streams": stream_names(*names),
            "describe_stream_summary": lambda StreamName: stream_summary(StreamName, 2),
        },
        "lambda": {
            "get_account_settings": {"AccountLimit": limits},
            "list_functions": {"Functions": [{"FunctionName": name} for name in names]},
            "get_function_concurrency": {},
            "list_provisioned_concurrency_configs": {"ProvisionedConcurrencyConfigs": []},
        },
        "s3": {
            "list_buckets": {"Buckets": [{"Name": name, "BucketRegion": "eu-west-1"} for name in names]},
            "list_bucket_metrics_configurations": {},
        },
        "apigateway": {
            "get_account": {},
            "get_rest_apis": {"items": [{"id": name, "name": name} for name in names[::2]]},
            "get_apis": {"Items": [{"ApiId": name, "Name": name} for name in names[1::2]]},
            "get_stages": lambda restApiId="", ApiId="": no_stages if restApiId else {"Items": []},
            "get_usage_plans": {"items": []},
        },
    }


@dataclass
class Cell:
    """The collectors of all services in one cell, over a fake AWS.

    has_detail: whether signals of the tier `detail` are read.
    """

    copies: int
    has_detail: bool
    turns: CallTurns = field(default_factory=CallTurns)
    services: list[tuple[Collector, FakeAws]] = field(default_factory=list)

    def __post_init__(self) -> None:
        cases: dict[str, Case] = {}
        for case in read_cases(TABLES):
            cases.setdefault(case.service, case)
        for service, case in cases.items():
            table = answers_by_method(answers_with_copies(case, self.copies))
            answers = {
                name: answer if isinstance(answer, list) else answering_numbered_ids(answer)
                for name, answer in table.items()
            }
            self._add(collector_of(DECLARATIONS[service]), case.region, answers)
        collectors = {collector.service: collector for collector in REGISTRY.collectors}
        for service, answers in python_collector_answers(self.copies).items():
            self._add(collectors[service], "eu-west-1", answers)

    def _add(self, collector: Collector, region: str, answers: Mapping[str, Any]) -> None:
        aws = FakeAws(malformed=True, region=region, **answers)
        aws.cell.call_turns = self.turns
        if not self.has_detail:
            collector = Config().signals.without_unread_signals(collector, REGISTRY)
        self.services.append((collector, aws))

    async def read(self) -> str:
        """Make one inventory of all services, and return its cost as text."""
        operations, seconds, found, waiting = Counter[str](), 0.0, 0, 0
        for collector, aws in self.services:
            aws.calls.clear()
            start = time.process_time()
            self.turns.of(collector.service).begin(aws.cell.clock.now(), is_bounded=True)
            scan = Scan(aws.cell, collector.service)
            found += len(await found_resources(collector, scan))
            seconds += time.process_time() - start
            operations.update(aws.calls)
            waiting += len(scan.waiting)
        most = ", ".join(f"{name} {number}" for name, number in operations.most_common(12))
        return (
            f"{found:,} resources of {len(self.services)} services: {operations.total():,} calls, "
            f"{seconds:.1f} s of CPU; {waiting:,} resources wait; most calls: {most}"
        )

    @property
    def has_waiting(self) -> bool:
        """Return whether some call waits for its turn and was never made."""
        services = self.turns.services.values()
        return any(outcome.made_at is None for turns in services for outcome in turns.outcomes.values())


async def found_resources(collector: Collector, scan: Scan) -> set[TypedPath]:
    """Return the resources whose series a collector yields."""
    found: set[TypedPath] = set()
    for scan_function in collector.scans:
        try:
            found |= {observed.resource.typed_path async for observed in scan_function(scan)}
        except (ExceptionGroup, ClientError) as error:
            print(f"{collector.service}: {error}")
    return found


async def main(copies: int, has_detail: bool, inventories: int) -> None:
    """Make `inventories` inventories, and more until no call waits for its turn."""
    cell, number = Cell(copies, has_detail), 0
    while number < inventories or cell.has_waiting:
        number += 1
        result = await cell.read()
        if number <= inventories:
            print(f"inventory {number}: {result}")
    print(f"inventory {number}, after which nothing waits: {result}")


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("copies", type=int, nargs="?", default=9)
    parser.add_argument("--detail", action="store_true")
    parser.add_argument("--inventories", type=int, default=2)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.copies, arguments.detail, arguments.inventories))
