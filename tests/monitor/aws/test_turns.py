"""The turns of calls about single resources: which resources an inventory reads, and which values it has."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import NotReadYetError
from monitor.aws.turns import (
    MAX_UNWANTED_RUNS,
    MIN_CALLS,
    MIN_SHARE_OF_KNOWN,
    MIN_SHARE_OF_WANTED,
    CallTurns,
    Urgency,
    fair_level,
)
from tests.fake_aws import denied

INTERVAL = 600.0  # seconds between two inventories


@dataclass
class Inventories:
    """Runs inventories. The value of a resource is the number of the inventory that read it.

    number: the number of the last inventory. names_read: the names of the resources that it read.
    """

    turns: CallTurns = field(default_factory=CallTurns)
    number: int = 0
    names_read: list[str] = field(default_factory=list)

    async def run(self, **services: Sequence[str]) -> dict[str, Any]:
        """Run one more inventory of the services' resources. Return the values by name; None: never read."""
        return await self.run_services(services)

    async def run_services(self, services: Mapping[str, Sequence[str]], every: float = 0.0) -> dict[str, Any]:
        """Run one more inventory. Return the values by name; None: never read.

        every: seconds for which a value is reused.
        """
        self.number, self.names_read = self.number + 1, []
        values: dict[str, Any] = {}
        for service, resources in services.items():
            self.turns.of(service).begin(self.now, is_bounded=True)
            for name in resources:
                values[name] = await self.value_of(service, name, every)
        return values

    @property
    def now(self) -> float:
        return self.number * INTERVAL

    async def value_of(
        self, service: str, name: str, every: float = 0.0, urgency: Urgency = Urgency.IN_TURN
    ) -> Any:
        """Read a resource if it has its turn. Return its value; None: it was never read."""

        async def read() -> int:
            self.names_read.append(name)
            return self.number

        try:
            return await self.turns.of(service).read(name, read, self.now, every, urgency)
        except NotReadYetError:
            return None


def names(count: int, prefix: str = "") -> list[str]:
    """Return `count` names of resources."""
    return [f"{prefix}{number}" for number in range(count)]


async def test_few_resources_are_all_read_in_each_inventory() -> None:
    inventories = Inventories()
    for number in (1, 2, 3):
        values = await inventories.run(logs=names(MIN_CALLS))
        assert set(values.values()) == {number}


async def test_of_many_resources_a_bounded_number_is_read_in_one_inventory() -> None:
    inventories = Inventories()
    values = await inventories.run(logs=names(2 * MIN_CALLS))
    assert len(inventories.names_read) == MIN_CALLS
    assert list(values.values()) == [1] * MIN_CALLS + [None] * MIN_CALLS


async def test_resources_that_were_never_read_come_first_and_other_values_are_kept() -> None:
    inventories = Inventories()
    await inventories.run(logs=names(2 * MIN_CALLS))
    values = await inventories.run(logs=names(2 * MIN_CALLS))
    assert list(values.values()).count(None) == MIN_CALLS * MIN_SHARE_OF_KNOWN
    assert list(values.values()).count(2) == MIN_CALLS
    values = await inventories.run(logs=names(2 * MIN_CALLS))
    assert None not in values.values()


async def test_of_very_many_resources_a_share_is_read_in_each_inventory() -> None:
    inventories, resources = Inventories(), names(20 * MIN_CALLS)
    read_counts = []
    for _ in range(20):
        values = await inventories.run(logs=resources)
        read_counts.append(len(inventories.names_read))
    assert None not in values.values()
    assert max(read_counts) <= math.ceil(len(resources) * MIN_SHARE_OF_WANTED)


async def test_a_service_with_few_resources_does_not_wait_for_a_service_with_many() -> None:
    inventories = Inventories()
    await inventories.run(logs=names(1000, "log"), dynamodb=names(20, "table"))
    values = await inventories.run(logs=names(1000, "log"), dynamodb=names(20, "table"))
    assert {values[name] for name in names(20, "table")} == {2}
    assert len(inventories.names_read) <= MIN_CALLS


async def test_all_services_of_a_cell_share_one_bound() -> None:
    inventories = Inventories()
    services = {f"s{number}": names(40, f"s{number}/") for number in range(20)}
    for _ in range(4):
        await inventories.run(**services)
        assert (
            len(inventories.names_read) <= MIN_CALLS + 2
        )  # the shares of services are rounded to whole calls


async def test_a_value_that_may_be_reused_takes_no_turn_until_it_is_due() -> None:
    inventories, resources = Inventories(), names(MIN_CALLS)
    await inventories.run_services({"kms": resources}, every=3 * INTERVAL)
    for value, read_count in ((1, 0), (1, 0), (4, MIN_CALLS)):  # the inventories 2, 3 and 4
        values = await inventories.run_services({"kms": resources}, every=3 * INTERVAL)
        assert set(values.values()) == {value}
        assert len(inventories.names_read) == read_count


async def test_a_resource_that_is_due_more_often_is_read_more_often() -> None:
    inventories = Inventories(CallTurns(min_calls=4))
    read_counts = dict.fromkeys(names(40, "r"), 0)
    for _ in range(60):
        inventories.number, inventories.names_read = inventories.number + 1, []
        inventories.turns.of("demo").begin(inventories.now, is_bounded=True)
        for number, name in enumerate(read_counts):
            await inventories.value_of("demo", name, every=0.0 if number % 4 == 0 else 6 * INTERVAL)
        for name in inventories.names_read:
            read_counts[name] += 1
    counts_if_due_often = [count for number, count in enumerate(read_counts.values()) if number % 4 == 0]
    counts_if_due_rarely = [count for number, count in enumerate(read_counts.values()) if number % 4]
    assert min(counts_if_due_often) > max(counts_if_due_rarely) >= min(counts_if_due_rarely) > 0


async def test_a_value_that_may_no_longer_be_reused_is_read_by_the_next_inventory() -> None:
    inventories = Inventories()
    for every, names_read in (
        (0.0, ["a"]),
        (6 * INTERVAL, []),
        (6 * INTERVAL, []),
        (0.0, ["a"]),
        (0.0, ["a"]),
    ):
        await inventories.run_services({"demo": ["a"]}, every)
        assert inventories.names_read == names_read


async def test_calls_about_the_whole_account_need_no_turn() -> None:
    inventories = Inventories(CallTurns(min_calls=1))
    for number in (1, 2):
        await inventories.run(logs=["a", "b"])
        assert await inventories.value_of("logs", "limits", urgency=Urgency.ALWAYS) == number
    assert await inventories.value_of("logs", "seldom", every=INTERVAL * 2, urgency=Urgency.ALWAYS) == 2
    await inventories.run(logs=["a", "b"])
    assert await inventories.value_of("logs", "seldom", every=INTERVAL * 2, urgency=Urgency.ALWAYS) == 2


async def test_a_doubted_limit_is_read_at_once() -> None:
    inventories = Inventories(CallTurns(min_calls=1))
    await inventories.run(kinesis=["a", "b"])
    await inventories.run(kinesis=[])
    assert await inventories.value_of("kinesis", "a", every=1e9, urgency=Urgency.AT_ONCE) == 2


async def test_a_denied_call_does_not_take_the_turns_of_other_calls() -> None:
    turns = CallTurns(min_calls=2).of("kms")

    async def value_of(name: str) -> Any:
        async def read() -> str:
            if name.startswith("denied"):
                raise denied("DescribeKey")
            return name

        try:
            return await turns.read(name, read, 0.0)
        except ClientError:
            return "denied"
        except NotReadYetError:
            return None

    for _ in range(6):
        turns.begin(0.0, is_bounded=True)
        values = [await value_of(name) for name in ("denied 1", "denied 2", "a", "b")]
    assert values == ["denied", "denied", "a", "b"]


async def test_two_scans_that_need_the_same_call_make_it_once() -> None:
    turns, may_end, calls = CallTurns().of("rds").begin(0.0, is_bounded=True), asyncio.Event(), 0

    async def read() -> str:
        nonlocal calls
        calls += 1
        await may_end.wait()
        return "group"

    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(turns.read("group", read, 0.0)) for _ in range(2)]
        await asyncio.sleep(0)
        may_end.set()
    assert [task.result() for task in readers] == ["group", "group"]
    assert await turns.read("group", read, 0.0) == "group"
    assert calls == 1


async def test_a_cancelled_call_counts_as_never_made() -> None:
    turns = CallTurns().of("rds").begin(0.0, is_bounded=True)

    async def read() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await turns.read("group", read, 0.0)
    turns.begin(0.0, is_bounded=True)
    inventories = Inventories(turns.cell_turns)
    assert await inventories.value_of("rds", "group") == 0


async def test_the_outcome_of_a_call_that_inventories_no_longer_want_is_forgotten() -> None:
    inventories = Inventories()
    await inventories.run(logs=["gone"])
    for _ in range(MAX_UNWANTED_RUNS):
        await inventories.run(logs=["here"])
        assert set(inventories.turns.of("logs").outcomes) == {"gone", "here"}
    await inventories.run(logs=["here"])
    await inventories.run(logs=["here"])
    assert set(inventories.turns.of("logs").outcomes) == {"here"}


async def test_an_unbounded_inventory_reads_all_resources() -> None:
    turns = CallTurns(min_calls=1).of("logs").begin(0.0, is_bounded=False)

    async def read() -> int:
        return 7

    assert {await turns.read(name, read, 0.0) for name in names(100)} == {7}


async def test_a_collector_that_stores_its_own_values_takes_turns_too() -> None:
    turns = CallTurns(min_calls=2)
    taken_by_run = []
    for run in range(6):
        service = turns.of("lambda").begin(float(run), is_bounded=True)
        taken_by_run.append([name for name in "abcd" if service.may_call_now(name, float(run))])
    assert taken_by_run[0] == ["a", "b"]
    assert {name for taken in taken_by_run[1:] for name in taken} == {*"abcd"}
    assert max(map(len, taken_by_run)) <= 2


@pytest.mark.parametrize(
    ("limit", "wanted", "expected"),
    [
        (150, [], math.inf),
        (150, [50, 100], math.inf),
        (150, [50, 101], 100),
        (150, [10, 1000, 1000], 70),
        (10, [5, 5, 5, 5], 2.5),
    ],
)
def test_services_that_want_few_calls_get_all_and_the_rest_get_equal_shares(
    limit: int, wanted: list[int], expected: float
) -> None:
    assert fair_level(limit, wanted) == expected


@given(
    lasting_one_count=st.integers(1, 60),
    lasting_two_count=st.integers(0, 60),
    short_lived_counts=st.lists(st.integers(0, 30), min_size=1, max_size=5),
    min_calls=st.integers(2, 12),
)
async def test_each_resource_is_read_again_while_other_resources_come_and_go(
    lasting_one_count: int, lasting_two_count: int, short_lived_counts: list[int], min_calls: int
) -> None:
    """Lasting resources are read within a bounded number of inventories.

    lasting_one_count, lasting_two_count: the number of lasting resources of the services `one` and `two`.
    short_lived_counts: the numbers of resources of the service `one` that exist in one inventory only; the
    inventories take the numbers in turn.
    """
    inventories = Inventories(CallTurns(min_calls=min_calls))
    lasting_one, lasting_two = names(lasting_one_count, "one"), names(lasting_two_count, "two")
    max_wanted = lasting_one_count + lasting_two_count + max(short_lived_counts) + 1
    # In the worst case, each resource waits for one of the turns that repeat earlier calls.
    max_age = int(max_wanted / MIN_SHARE_OF_KNOWN) + 2
    for number in range(2 * max_age):
        short_lived_count = short_lived_counts[number % len(short_lived_counts)]
        short_lived = names(short_lived_count, f"new{number}/")
        values = await inventories.run(one=[*short_lived, *lasting_one], two=lasting_two)
        # The number of turns follows from the calls that the previous inventory wanted, also about
        # short-lived resources.
        assert len(inventories.names_read) <= max(min_calls, 2 * max_wanted * MIN_SHARE_OF_WANTED) + 3
        if number >= max_age:
            ages = [inventories.number - values[name] for name in (*lasting_one, *lasting_two)]
            assert max(ages, default=0) <= max_age
