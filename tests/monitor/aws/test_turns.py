"""The turns of calls about single resources: which resources each inventory reads, and their values."""

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

    made: the names of the resources that the last inventory read.
    """

    turns: CallTurns = field(default_factory=CallTurns)
    number: int = 0
    made: list[str] = field(default_factory=list)

    async def inventory(self, **services: Sequence[str]) -> dict[str, Any]:
        """Run one more inventory, and return the values of the resources; None: never read."""
        return await self.inventory_of(services)

    async def inventory_of(self, services: Mapping[str, Sequence[str]], every: float = 0.0) -> dict[str, Any]:
        """Run one more inventory. services: resources by service. every: seconds to reuse a value."""
        self.number, self.made = self.number + 1, []
        known: dict[str, Any] = {}
        for service, resources in services.items():
            self.turns.of(service).begin(self.now, is_bounded=True)
            for name in resources:
                known[name] = await self.value_of(service, name, every)
        return known

    @property
    def now(self) -> float:
        return self.number * INTERVAL

    async def value_of(
        self, service: str, name: str, every: float = 0.0, urgency: Urgency = Urgency.IN_TURN
    ) -> Any:
        """Return the value of a resource; None: it was never read."""

        async def read() -> int:
            self.made.append(name)
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
        known = await inventories.inventory(logs=names(MIN_CALLS))
        assert set(known.values()) == {number}


async def test_of_many_resources_a_bounded_number_is_read_in_one_inventory() -> None:
    inventories = Inventories()
    known = await inventories.inventory(logs=names(2 * MIN_CALLS))
    assert len(inventories.made) == MIN_CALLS
    assert list(known.values()) == [1] * MIN_CALLS + [None] * MIN_CALLS


async def test_unread_resources_come_first_and_known_ones_keep_their_values() -> None:
    inventories = Inventories()
    await inventories.inventory(logs=names(2 * MIN_CALLS))
    known = await inventories.inventory(logs=names(2 * MIN_CALLS))
    assert list(known.values()).count(None) == MIN_CALLS * MIN_SHARE_OF_KNOWN
    assert list(known.values()).count(2) == MIN_CALLS
    known = await inventories.inventory(logs=names(2 * MIN_CALLS))
    assert None not in known.values()


async def test_of_very_many_resources_a_share_is_read_in_each_inventory() -> None:
    inventories, resources = Inventories(), names(20 * MIN_CALLS)
    numbers = []
    for _ in range(20):
        known = await inventories.inventory(logs=resources)
        numbers.append(len(inventories.made))
    assert None not in known.values()
    assert max(numbers) <= math.ceil(len(resources) * MIN_SHARE_OF_WANTED)


async def test_a_service_with_few_resources_does_not_wait_for_a_service_with_many() -> None:
    inventories = Inventories()
    await inventories.inventory(logs=names(1000, "log"), dynamodb=names(20, "table"))
    known = await inventories.inventory(logs=names(1000, "log"), dynamodb=names(20, "table"))
    assert {known[name] for name in names(20, "table")} == {2}
    assert len(inventories.made) <= MIN_CALLS


async def test_all_services_of_a_cell_share_one_bound() -> None:
    inventories = Inventories()
    services = {f"s{number}": names(40, f"s{number}/") for number in range(20)}
    for _ in range(4):
        await inventories.inventory(**services)
        assert len(inventories.made) <= MIN_CALLS + 2  # shares are fractions of a call


async def test_a_value_that_may_be_reused_takes_no_turn_until_it_is_due() -> None:
    inventories, resources = Inventories(), names(MIN_CALLS)
    await inventories.inventory_of({"kms": resources}, every=3 * INTERVAL)
    for number, calls in ((2, 0), (3, 0), (4, MIN_CALLS)):
        known = await inventories.inventory_of({"kms": resources}, every=3 * INTERVAL)
        assert (set(known.values()), len(inventories.made)) == ({1 if number < 4 else 4}, calls)


async def test_a_resource_that_is_due_more_often_is_read_more_often() -> None:
    inventories = Inventories(CallTurns(min_calls=4))
    reads = dict.fromkeys(names(40, "r"), 0)
    for _ in range(60):
        inventories.number, inventories.made = inventories.number + 1, []
        inventories.turns.of("demo").begin(inventories.now, is_bounded=True)
        for number, name in enumerate(reads):
            await inventories.value_of("demo", name, every=0.0 if number % 4 == 0 else 6 * INTERVAL)
        for name in inventories.made:
            reads[name] += 1
    frequent = [count for number, count in enumerate(reads.values()) if number % 4 == 0]
    rare = [count for number, count in enumerate(reads.values()) if number % 4]
    assert min(frequent) > max(rare) >= min(rare) > 0


async def test_a_value_that_may_no_longer_be_reused_is_read_by_the_next_inventory() -> None:
    inventories = Inventories()
    for every, made in ((0.0, ["a"]), (6 * INTERVAL, []), (6 * INTERVAL, []), (0.0, ["a"]), (0.0, ["a"])):
        await inventories.inventory_of({"demo": ["a"]}, every)
        assert inventories.made == made


async def test_calls_about_the_whole_account_need_no_turn() -> None:
    inventories = Inventories(CallTurns(min_calls=1))
    for number in (1, 2):
        await inventories.inventory(logs=["a", "b"])
        assert await inventories.value_of("logs", "limits", urgency=Urgency.ALWAYS) == number
    assert await inventories.value_of("logs", "seldom", every=INTERVAL * 2, urgency=Urgency.ALWAYS) == 2
    await inventories.inventory(logs=["a", "b"])
    assert await inventories.value_of("logs", "seldom", every=INTERVAL * 2, urgency=Urgency.ALWAYS) == 2


async def test_a_doubted_limit_is_read_at_once() -> None:
    inventories = Inventories(CallTurns(min_calls=1))
    await inventories.inventory(kinesis=["a", "b"])
    await inventories.inventory(kinesis=[])
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
        known = [await value_of(name) for name in ("denied 1", "denied 2", "a", "b")]
    assert known == ["denied", "denied", "a", "b"]


async def test_two_scans_that_need_the_same_call_make_it_once() -> None:
    turns, may_end, calls = CallTurns().of("rds").begin(0.0, is_bounded=True), asyncio.Event(), 0

    async def read() -> str:
        nonlocal calls
        calls += 1
        await may_end.wait()
        return "group"

    async with asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(turns.read("group", read, 0.0)) for _ in range(2)]
        await asyncio.sleep(0)
        may_end.set()
    assert [task.result() for task in both] == ["group", "group"]
    assert await turns.read("group", read, 0.0) == "group"
    assert calls == 1


async def test_a_cancelled_call_counts_as_never_made() -> None:
    turns = CallTurns().of("rds").begin(0.0, is_bounded=True)

    async def read() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await turns.read("group", read, 0.0)
    turns.begin(0.0, is_bounded=True)
    inventories = Inventories(turns.cell)
    assert await inventories.value_of("rds", "group") == 0


async def test_the_outcome_of_a_call_that_inventories_no_longer_want_is_forgotten() -> None:
    inventories = Inventories()
    await inventories.inventory(logs=["gone"])
    for _ in range(MAX_UNWANTED_RUNS):
        await inventories.inventory(logs=["here"])
        assert set(inventories.turns.of("logs").outcomes) == {"gone", "here"}
    await inventories.inventory(logs=["here"])
    await inventories.inventory(logs=["here"])
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
    ("limit", "wanted", "level"),
    [
        (150, [], math.inf),
        (150, [50, 100], math.inf),
        (150, [50, 101], 100),
        (150, [10, 1000, 1000], 70),
        (10, [5, 5, 5, 5], 2.5),
    ],
)
def test_services_that_want_few_calls_get_all_and_the_rest_get_equal_shares(
    limit: int, wanted: list[int], level: float
) -> None:
    assert fair_level(limit, wanted) == level


NewCounts = st.lists(st.integers(0, 30), min_size=1, max_size=5)


@given(stay=st.integers(1, 60), other=st.integers(0, 60), new=NewCounts, min_calls=st.integers(2, 12))
async def test_each_resource_is_read_again_while_other_resources_come_and_go(
    stay: int, other: int, new: list[int], min_calls: int
) -> None:
    """Lasting resources are read within a bounded number of inventories.

    stay, other: the number of lasting resources of two services. new: how many resources come in each
    inventory, and go before the next one.
    """
    inventories = Inventories(CallTurns(min_calls=min_calls))
    staying, others = names(stay, "stay"), names(other, "other")
    most = stay + other + max(new) + 1
    # In the worst case, each resource waits for one of the turns that repeat earlier calls.
    within = int(most / MIN_SHARE_OF_KNOWN) + 2
    for number in range(2 * within):
        coming = names(new[number % len(new)], f"new{number}/")
        known = await inventories.inventory(one=[*coming, *staying], two=others)
        # The resources that went were still wanted when the turns were given.
        assert len(inventories.made) <= max(min_calls, 2 * most * MIN_SHARE_OF_WANTED) + 3
        if number >= within:
            ages = [inventories.number - known[name] for name in (*staying, *others)]
            assert max(ages, default=0) <= within
