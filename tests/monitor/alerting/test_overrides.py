"""What `alerts` in the configuration says, all the way: inventory, columns, lives, what is told."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.config import Config
from monitor.inventory import Inventory
from tests.monitor.alerting.stage import ALL, LETTERS, TELLS, Stage, configuration
from tests.monitor.fleets import key
from tests.monitor.inventories import KINESIS, NO_QUOTAS, SHARDS, World, streams


def configured(*overrides: Mapping[str, Any]) -> Config:
    return configuration(route=ALL, alerts=[dict(one) for one in overrides])


class Land:
    """A Kinesis that is looked at by an inventory, and the alerts of what that finds."""

    def __init__(self, stage: Stage, world: World) -> None:
        self.stage, self.world = stage, world

    async def reload(self, *overrides: Mapping[str, Any]) -> None:
        """Take another configuration into use, as the app does: an inventory follows the one before."""
        config, before = configured(*overrides), self.world.inventory
        self.world.inventory = Inventory(before.cell, self.world.fleet, config, before.account_name)
        self.world.inventory.known |= before.known
        self.stage.configure(config)
        await self.world.look(KINESIS)

    def write(self, resource: str, letter: str) -> None:
        """A sample of the minute, by the stream's own metrics."""
        fleet, utilization_and_refused = self.stage.fleet, LETTERS[letter]
        place = fleet.series[key(resource)].place
        scales = float(fleet.limit[place]), 1.0
        for formulas, share, scale in zip(
            (fleet.usages, fleet.refusals), utilization_and_refused, scales, strict=True
        ):
            formula = formulas.get(place)
            assert formula
            rows, minute = np.array(formula.rows), np.array([self.stage.minute])
            fleet.rings.write(rows, minute, np.array([share * scale / formula.weights[0]], np.float32))
            fleet.rings.mark_read(rows, self.stage.minute)

    async def play(self, **stories: str) -> str:
        told = ""
        for letters in zip(*stories.values(), strict=True):
            for resource, letter in zip(stories, letters, strict=True):
                self.write(resource, letter)
            self.stage.minute += 1
            self.stage.seconds = self.stage.minute * 60.0
            self.stage.see()
            told += "".join(TELLS[notice.kind] for notice in await self.stage.turn()) or "."
        return told


@asynccontextmanager
async def land(folder: Path, *overrides: Mapping[str, Any]) -> AsyncIterator[Land]:
    """A land with two streams, just looked at; the inventory's clock is the system's."""
    answers = {**streams(orders=1, clicks=1), "describe_limits": SHARDS | {"OpenShardCount": 5}, **NO_QUOTAS}
    world, minute = World(configured(*overrides), "prod", **answers), int(time.time() // 60)
    await world.look(KINESIS)
    async with Stage.opened(folder, configured(*overrides), minute, world.fleet) as stage:
        yield Land(stage, world)


ORDERS = {"signal": "kinesis.stream_write_bytes", "resource": "orders"}
PACES: dict[str, tuple[list[Mapping[str, Any]], str, str]] = {
    "the catalogue's": ([], "ccccccc......", ".....F......R"),
    "another hold": ([{**ORDERS, "hold": "2m"}], "ccccccc......", "..F.........R"),
    "none": ([{**ORDERS, "hold": 0}], "ccccccc......", "F...........R"),
    "a longer one": ([{**ORDERS, "hold": "10m"}], "ccccccccccc..", "..........F.."),
    "of whole minutes": ([{**ORDERS, "hold": "100s"}], "ccccccc......", "..F.........R"),
    "an end at once": ([{**ORDERS, "keep_firing_for": 0}], "ccccccc......", ".....F.R....."),
    "an end that takes longer": ([{**ORDERS, "keep_firing_for": "7m"}], "cccccc........", ".....F.......R"),
    "both": ([{**ORDERS, "hold": "1m", "keep_firing_for": "1m"}], ".cc.....", "..F.R..."),
    "the last that says it": (
        [{**ORDERS, "hold": "3m"}, {"service": "kinesis", "hold": "1m"}, {**ORDERS, "keep_firing_for": "1m"}],
        "ccc.....",
        ".F..R...",
    ),
    "by the account's name": ([{"account": "prod", "hold": "1m"}], "cc", ".F"),
    "of another account": ([{"account": "test", "hold": "1m"}], "cccccc", ".....F"),
    "of another resource": ([{**ORDERS, "resource": "cl*", "hold": "1m"}], "cccccc", ".....F"),
    "of another signal": ([{"signal": "kinesis.stream_write_records", "hold": 0}], "cccccc", ".....F"),
    "what is refused never waits": ([{**ORDERS, "hold": "10m"}], "s", "F"),
}


@pytest.mark.parametrize(("overrides", "story", "told"), PACES.values(), ids=PACES)
async def test_a_pace(overrides: list[Mapping[str, Any]], story: str, told: str, tmp_path: Path) -> None:
    async with land(tmp_path, *overrides) as here:
        assert await here.play(orders=story) == told


QUICK = {"service": "kinesis", "hold": 0, "keep_firing_for": 0}
SEVERITIES: dict[str, tuple[Mapping[str, Any], str, list[str]]] = {
    "the usual": ({}, "acs", ["info above", "warning critical", "critical saturated"]),
    "critical is critical": ({"critical": "critical"}, "ac", ["info above", "critical critical"]),
    "above is a warning": ({"above": "warning"}, "ac", ["warning above", "warning critical"]),
    "refusals do not matter much": ({"saturated": "info"}, "s", ["info saturated"]),
    "above is none": ({"above": "none"}, "ac", ["warning critical"]),
    "critical is none": ({"critical": "none"}, "acs", ["info above", "critical saturated"]),
    "none of all": (dict.fromkeys(("above", "critical", "saturated"), "none"), "acs", []),
}


@pytest.mark.parametrize(("said", "story", "told"), SEVERITIES.values(), ids=SEVERITIES)
async def test_a_severity(said: Mapping[str, Any], story: str, told: list[str], tmp_path: Path) -> None:
    async with land(tmp_path, {**QUICK, **said}) as here:
        await here.play(orders=story)
        assert [f"{one.severity} {one.zone}" for one in here.stage.notices] == told


async def test_one_resource_is_another_matter_than_the_next(tmp_path: Path) -> None:
    async with land(tmp_path, {**ORDERS, "hold": "1m", "critical": "critical"}) as here:
        assert await here.play(orders="cccccc", clicks="cccccc") == ".F...F"
        told = [(one.labels["resource"], one.severity) for one in here.stage.notices]
        assert told == [("orders", "critical"), ("clicks", "warning")]


RELOADS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], str, str]] = {
    "a shorter hold for what is pending": ({"hold": "10m"}, {"hold": "3m"}, "cc|cc", "..|.F"),
    "a longer one": ({"hold": "2m"}, {"hold": "5m"}, "cc|cccc", "..|...F"),
    "what fires is not held again": ({"hold": 0}, {"hold": "10m"}, "cc|cc", "F.|.."),
    "an end that comes sooner": (
        {"hold": 0, "keep_firing_for": "10m"},
        {"hold": 0, "keep_firing_for": "3m"},
        "c..|...",
        "F..|.R.",
    ),
    "a higher severity": ({"hold": 0}, {"hold": 0, "critical": "critical"}, "cc|cc", "F.|W."),
    "a lower one": ({"hold": 0}, {"hold": 0, "critical": "info"}, "cc|cc", "F.|E."),
    "no alert any more": ({"hold": 0}, {"critical": "none", "above": "none"}, "cc|cc", "F.|R."),
    "an alert after all": ({"critical": "none", "above": "none"}, {}, "cccccc|c", "......|F"),
    "nothing said any more": ({"hold": 0, "critical": "critical"}, {}, "c|c", "F|E"),
}


@pytest.mark.parametrize(("before", "after", "story", "told"), RELOADS.values(), ids=RELOADS)
async def test_a_reload(
    before: Mapping[str, Any], after: Mapping[str, Any], story: str, told: str, tmp_path: Path
) -> None:
    first, then = story.split("|")
    async with land(tmp_path, {**ORDERS, **before}) as here:
        letters = await here.play(orders=first)
        await here.reload({**ORDERS, **after})
        assert f"{letters}|{await here.play(orders=then)}" == told
