"""The turns of calls about single resources: who is read when, and what is known of the others."""

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
class Reading:
    """Inventories of services; a call returns the number of the inventory that made it."""

    turns: CallTurns = field(default_factory=CallTurns)
    number: int = 0
    made: list[str] = field(default_factory=list)

    async def inventory(self, **services: Sequence[str]) -> dict[str, Any]:
        """Run one more inventory, and return what is known of the resources; None: nothing yet."""
        return await self.inventory_of(services)

    async def inventory_of(self, services: Mapping[str, Sequence[str]], every: float = 0.0) -> dict[str, Any]:
        """Run an inventory of resources by service. every: seconds for which a value is used again."""
        self.number, self.made = self.number + 1, []
        known: dict[str, Any] = {}
        for service, resources in services.items():
            self.turns.of(service).begin(self.now, is_bounded=True)
            for name in resources:
                known[name] = await self.ask(service, name, every)
        return known

    @property
    def now(self) -> float:
        return self.number * INTERVAL

    async def ask(
        self, service: str, name: str, every: float = 0.0, urgency: Urgency = Urgency.IN_TURN
    ) -> Any:
        """Request a value; None: it was never read."""

        async def read() -> int:
            self.made.append(name)
            return self.number

        try:
            return await self.turns.of(service).read(name, read, self.now, every, urgency)
        except NotReadYetError:
            return None


def names(count: int, prefix: str = "") -> list[str]:
    """Return so many names of resources."""
    return [f"{prefix}{number}" for number in range(count)]


async def test_all_of_few_resources_are_read_in_each_inventory() -> None:
    reading = Reading()
    for number in (1, 2, 3):
        known = await reading.inventory(logs=names(MIN_CALLS))
        assert set(known.values()) == {number}


async def test_a_bounded_number_of_many_resources_is_read_in_one_inventory() -> None:
    reading = Reading()
    known = await reading.inventory(logs=names(2 * MIN_CALLS))
    assert len(reading.made) == MIN_CALLS
    assert list(known.values()) == [1] * MIN_CALLS + [None] * MIN_CALLS


async def test_unread_resources_come_first_and_known_ones_keep_their_values() -> None:
    reading = Reading()
    await reading.inventory(logs=names(2 * MIN_CALLS))
    known = await reading.inventory(logs=names(2 * MIN_CALLS))
    assert list(known.values()).count(None) == MIN_CALLS * MIN_SHARE_OF_KNOWN
    assert list(known.values()).count(2) == MIN_CALLS
    known = await reading.inventory(logs=names(2 * MIN_CALLS))
    assert None not in known.values()


async def test_a_share_of_very_many_resources_is_read_in_each_inventory() -> None:
    reading, every_one = Reading(), names(20 * MIN_CALLS)
    numbers = []
    for _ in range(20):
        known = await reading.inventory(logs=every_one)
        numbers.append(len(reading.made))
    assert None not in known.values()
    assert max(numbers) <= math.ceil(len(every_one) * MIN_SHARE_OF_WANTED)


async def test_a_service_with_few_resources_does_not_wait_for_one_with_many() -> None:
    reading = Reading()
    await reading.inventory(logs=names(1000, "log"), dynamodb=names(20, "table"))
    known = await reading.inventory(logs=names(1000, "log"), dynamodb=names(20, "table"))
    assert {known[name] for name in names(20, "table")} == {2}
    assert len(reading.made) <= MIN_CALLS


async def test_all_services_of_a_cell_share_one_bound() -> None:
    reading = Reading()
    services = {f"s{number}": names(40, f"s{number}/") for number in range(20)}
    for _ in range(4):
        await reading.inventory(**services)
        assert len(reading.made) <= MIN_CALLS + 2  # shares are fractions of a call


async def test_a_resource_that_changes_seldom_takes_no_turn_until_its_reading_is_old() -> None:
    reading, seldom = Reading(), names(MIN_CALLS)
    await reading.inventory_of({"kms": seldom}, every=3 * INTERVAL)
    for number, calls in ((2, 0), (3, 0), (4, MIN_CALLS)):
        known = await reading.inventory_of({"kms": seldom}, every=3 * INTERVAL)
        assert (set(known.values()), len(reading.made)) == ({1 if number < 4 else 4}, calls)


async def test_a_resource_that_is_due_sooner_has_its_turn_more_often() -> None:
    reading, asked = Reading(CallTurns(min_calls=4)), 40
    times = dict.fromkeys([f"r{number}" for number in range(asked)], 0)
    for _ in range(60):
        reading.number, reading.made = reading.number + 1, []
        reading.turns.of("demo").begin(reading.now, is_bounded=True)
        for number, name in enumerate(times):
            await reading.ask("demo", name, every=0.0 if number % 4 == 0 else 6 * INTERVAL)
        for name in reading.made:
            times[name] += 1
    urgent = [count for number, count in enumerate(times.values()) if number % 4 == 0]
    others = [count for number, count in enumerate(times.values()) if number % 4]
    assert min(urgent) > max(others) >= min(others) > 0


async def test_a_resource_that_becomes_urgent_is_read_by_the_next_inventory_with_room() -> None:
    reading = Reading()
    for every, made in ((0.0, ["a"]), (6 * INTERVAL, []), (6 * INTERVAL, []), (0.0, ["a"]), (0.0, ["a"])):
        await reading.inventory_of({"demo": ["a"]}, every)
        assert reading.made == made


async def test_calls_about_the_whole_account_need_no_turn() -> None:
    reading = Reading(CallTurns(min_calls=1))
    for number in (1, 2):
        await reading.inventory(logs=["a", "b"])
        assert await reading.ask("logs", "limits", urgency=Urgency.ALWAYS) == number
    assert await reading.ask("logs", "seldom", every=INTERVAL * 2, urgency=Urgency.ALWAYS) == 2
    await reading.inventory(logs=["a", "b"])
    assert await reading.ask("logs", "seldom", every=INTERVAL * 2, urgency=Urgency.ALWAYS) == 2


async def test_a_doubted_limit_is_read_at_once() -> None:
    reading = Reading(CallTurns(min_calls=1))
    await reading.inventory(kinesis=["a", "b"])
    await reading.inventory(kinesis=[])
    assert await reading.ask("kinesis", "a", every=1e9, urgency=Urgency.AT_ONCE) == 2


async def test_an_error_is_remembered_like_a_value_and_takes_no_turn_of_others() -> None:
    turns = CallTurns(min_calls=2).of("kms")

    async def ask(name: str) -> Any:
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
        known = [await ask(name) for name in ("denied 1", "denied 2", "a", "b")]
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
    assert [one.result() for one in both] == ["group", "group"]
    assert await turns.read("group", read, 0.0) == "group"
    assert calls == 1


async def test_a_call_that_was_cancelled_returned_nothing() -> None:
    turns = CallTurns().of("rds").begin(0.0, is_bounded=True)

    async def read() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await turns.read("group", read, 0.0)
    turns.begin(0.0, is_bounded=True)
    reading = Reading(turns.cell)
    assert await reading.ask("rds", "group") == 0


async def test_outcomes_that_no_inventory_requests_any_more_are_forgotten() -> None:
    reading = Reading()
    await reading.inventory(logs=["gone"])
    for _ in range(MAX_UNWANTED_RUNS):
        await reading.inventory(logs=["here"])
        assert set(reading.turns.of("logs").outcomes) == {"gone", "here"}
    await reading.inventory(logs=["here"])
    await reading.inventory(logs=["here"])
    assert set(reading.turns.of("logs").outcomes) == {"here"}


async def test_without_a_bound_everything_is_read() -> None:
    turns = CallTurns(min_calls=1).of("logs").begin(0.0, is_bounded=False)

    async def read() -> int:
        return 7

    assert {await turns.read(name, read, 0.0) for name in names(100)} == {7}


async def test_a_collector_that_keeps_its_own_values_takes_turns_too() -> None:
    turns = CallTurns(min_calls=2)
    runs = []
    for run in range(6):
        of_lambda = turns.of("lambda").begin(float(run), is_bounded=True)
        runs.append([name for name in "abcd" if of_lambda.takes_turn(name, float(run))])
    assert runs[0] == ["a", "b"]
    assert {name for taken in runs[1:] for name in taken} == {*"abcd"}
    assert max(map(len, runs)) <= 2


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
def test_services_that_need_few_calls_get_all_and_others_equal_shares(
    limit: int, wanted: list[int], level: float
) -> None:
    assert fair_level(limit, wanted) == level


Comings = st.lists(st.integers(0, 30), min_size=1, max_size=5)


@given(stay=st.integers(1, 60), others=st.integers(0, 60), new=Comings, min_calls=st.integers(2, 12))
async def test_each_resource_gets_its_turn_again_and_again_whoever_comes_and_goes(
    stay: int, others: int, new: list[int], min_calls: int
) -> None:
    """Resources that stay are read within a number of inventories, while others come and go each time."""
    reading = Reading(CallTurns(min_calls=min_calls))
    staying, of_others = names(stay, "stay"), names(others, "other")
    crowd = stay + others + max(new) + 1
    within = (
        int(crowd / MIN_SHARE_OF_KNOWN) + 2
    )  # at the worst, each resource has one of the turns for what is known
    for number in range(2 * within):
        coming = names(new[number % len(new)], f"new{number}/")
        known = await reading.inventory(one=[*coming, *staying], two=of_others)
        # Those that went were still wanted when the turns were given.
        assert len(reading.made) <= max(min_calls, 2 * crowd * MIN_SHARE_OF_WANTED) + 3
        if number >= within:
            ages = [reading.number - known[name] for name in (*staying, *of_others)]
            assert max(ages, default=0) <= within
