"""The key `alerts` of the configuration, all the way: inventory, columns, alert states and notices."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.config.config import Config
from tests.kinesis_answers import SHARD_LIMITS
from tests.monitor.alerting.stage import ALL, LETTER_OF_KIND, LETTERS, Stage, configuration
from tests.monitor.fleet.fleets import key
from tests.monitor.polling.inventories import KINESIS, NO_QUOTAS, FakeAccount, inventory_of, streams


def configured(*overrides: Mapping[str, Any]) -> Config:
    """Return a configuration with overrides of alerts."""
    return configuration(route=ALL, alerts=[dict(one) for one in overrides])


class InventoriedStage:
    """A Kinesis that is looked at by an inventory, and the alerts of what that finds."""

    def __init__(self, stage: Stage, account: FakeAccount) -> None:
        self.stage, self.account = stage, account

    async def reload(self, *overrides: Mapping[str, Any]) -> None:
        """Take another configuration into use, as the app does: an inventory follows the one before."""
        config, before = configured(*overrides), self.account.inventory
        self.account.inventory = inventory_of(
            before.cell, self.account.fleet, config, account_name=before.account_name
        )
        self.account.inventory.discovered |= before.discovered
        self.stage.configure(config)
        await self.account.run_inventory(KINESIS)

    def write(self, resource: str, letter: str) -> None:
        """A sample of the minute, by the stream's own metrics."""
        fleet, utilization_and_refused = self.stage.fleet, LETTERS[letter]
        slot = fleet.series[key(resource)].slot
        scales = float(fleet.limit[slot]), 1.0
        for formulas, share, scale in zip(
            (fleet.usages, fleet.throttled), utilization_and_refused, scales, strict=True
        ):
            formula = formulas.get(slot)
            assert formula
            rows, minute = np.array(formula.rows), np.array([self.stage.minute])
            fleet.rings.write(rows, minute, np.array([share * scale / formula.weights[0]], np.float32))
            fleet.rings.mark_read(rows, self.stage.minute)

    async def play(self, **stories: str) -> str:
        letters_sent = ""
        for letters in zip(*stories.values(), strict=True):
            for resource, letter in zip(stories, letters, strict=True):
                self.write(resource, letter)
            self.stage.minute += 1
            self.stage.seconds = self.stage.minute * 60.0
            self.stage.set_read_result()
            letters_sent += (
                "".join(LETTER_OF_KIND[notice.kind] for notice in await self.stage.process()) or "."
            )
        return letters_sent


@asynccontextmanager
async def inventoried_stage(folder: Path, *overrides: Mapping[str, Any]) -> AsyncIterator[InventoriedStage]:
    """Yield a stage whose two streams were found by an inventory; the inventory's clock is the system's."""
    answers = {
        **streams(orders=1, clicks=1),
        "describe_limits": SHARD_LIMITS | {"OpenShardCount": 5},
        **NO_QUOTAS,
    }
    account, minute = FakeAccount(configured(*overrides), "prod", **answers), int(time.time() // 60)
    await account.run_inventory(KINESIS)
    async with Stage.opened(folder, configured(*overrides), minute, account.fleet) as stage:
        yield InventoriedStage(stage, account)


ORDERS = {"signal": "kinesis.stream_write_bytes", "resource": "orders"}
DURATIONS: dict[str, tuple[list[Mapping[str, Any]], str, str]] = {
    "those of the catalogue": ([], "ccccccc......", ".....F......R"),
    "another duration": ([{**ORDERS, "for": "2m"}], "ccccccc......", "..F.........R"),
    "for 0": ([{**ORDERS, "for": 0}], "ccccccc......", "F...........R"),
    "a longer duration": ([{**ORDERS, "for": "10m"}], "ccccccccccc..", "..........F.."),
    "a duration that is no whole minutes": ([{**ORDERS, "for": "100s"}], "ccccccc......", "..F.........R"),
    "an end at once": ([{**ORDERS, "keep_firing_for": 0}], "ccccccc......", ".....F.R....."),
    "an end that takes longer": ([{**ORDERS, "keep_firing_for": "7m"}], "cccccc........", ".....F.......R"),
    "for and keep_firing_for": ([{**ORDERS, "for": "1m", "keep_firing_for": "1m"}], ".cc.....", "..F.R..."),
    "each key from the last entry that has it": (
        [{**ORDERS, "for": "3m"}, {"service": "kinesis", "for": "1m"}, {**ORDERS, "keep_firing_for": "1m"}],
        "ccc.....",
        ".F..R...",
    ),
    "for the account, by its name": ([{"account": "prod", "for": "1m"}], "cc", ".F"),
    "for another account": ([{"account": "test", "for": "1m"}], "cccccc", ".....F"),
    "for another resource": ([{**ORDERS, "resource": "cl*", "for": "1m"}], "cccccc", ".....F"),
    "for another signal": ([{"signal": "kinesis.stream_write_records", "for": 0}], "cccccc", ".....F"),
    "refused demand never waits": ([{**ORDERS, "for": "10m"}], "s", "F"),
}


@pytest.mark.parametrize(("overrides", "story", "expected"), DURATIONS.values(), ids=DURATIONS)
async def test_overrides_decide_durations(
    overrides: list[Mapping[str, Any]], story: str, expected: str, tmp_path: Path
) -> None:
    async with inventoried_stage(tmp_path, *overrides) as here:
        assert await here.play(orders=story) == expected


QUICK = {"service": "kinesis", "for": 0, "keep_firing_for": 0}
SEVERITIES: dict[str, tuple[Mapping[str, Any], str, list[str]]] = {
    "the defaults": ({}, "acs", ["info above", "warning near", "critical saturated"]),
    "near is critical": ({"near": "critical"}, "ac", ["info above", "critical near"]),
    "above is a warning": ({"above": "warning"}, "ac", ["warning above", "warning near"]),
    "refusals do not matter much": ({"saturated": "info"}, "s", ["info saturated"]),
    "above is none": ({"above": "none"}, "ac", ["warning near"]),
    "near is none": ({"near": "none"}, "acs", ["info above", "critical saturated"]),
    "none at all": (dict.fromkeys(("above", "near", "saturated"), "none"), "acs", []),
}


@pytest.mark.parametrize(("override", "story", "expected"), SEVERITIES.values(), ids=SEVERITIES)
async def test_overrides_decide_severities(
    override: Mapping[str, Any], story: str, expected: list[str], tmp_path: Path
) -> None:
    async with inventoried_stage(tmp_path, {**QUICK, **override}) as here:
        await here.play(orders=story)
        assert [f"{one.severity} {one.zone}" for one in here.stage.notices] == expected


async def test_an_override_for_one_resource_leaves_the_others(tmp_path: Path) -> None:
    async with inventoried_stage(tmp_path, {**ORDERS, "for": "1m", "near": "critical"}) as here:
        assert await here.play(orders="cccccc", clicks="cccccc") == ".F...F"
        severities = [(one.labels["resource"], one.severity) for one in here.stage.notices]
        assert severities == [("orders", "critical"), ("clicks", "warning")]


RELOADS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], str, str]] = {
    "a shorter duration for what is pending": ({"for": "10m"}, {"for": "3m"}, "cc|cc", "..|.F"),
    "a longer duration": ({"for": "2m"}, {"for": "5m"}, "cc|cccc", "..|...F"),
    "a longer one for what fires already": ({"for": 0}, {"for": "10m"}, "cc|cc", "F.|.."),
    "an end that comes sooner": (
        {"for": 0, "keep_firing_for": "10m"},
        {"for": 0, "keep_firing_for": "3m"},
        "c..|...",
        "F..|.R.",
    ),
    "a higher severity": ({"for": 0}, {"for": 0, "near": "critical"}, "cc|cc", "F.|W."),
    "a lower severity": ({"for": 0}, {"for": 0, "near": "info"}, "cc|cc", "F.|E."),
    "no alert any more": ({"for": 0}, {"near": "none", "above": "none"}, "cc|cc", "F.|R."),
    "an alert that was switched off": ({"near": "none", "above": "none"}, {}, "cccccc|c", "......|F"),
    "an override that is removed": ({"for": 0, "near": "critical"}, {}, "c|c", "F|E"),
}


@pytest.mark.parametrize(("before", "after", "story", "expected"), RELOADS.values(), ids=RELOADS)
async def test_a_reload_changes_overrides_of_alerts(
    before: Mapping[str, Any], after: Mapping[str, Any], story: str, expected: str, tmp_path: Path
) -> None:
    first, then = story.split("|")
    async with inventoried_stage(tmp_path, {**ORDERS, **before}) as here:
        letters = await here.play(orders=first)
        await here.reload({**ORDERS, **after})
        assert f"{letters}|{await here.play(orders=then)}" == expected
