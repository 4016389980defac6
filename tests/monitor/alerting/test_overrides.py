"""The overrides in the configuration's key `alerts`: how they change durations, severities and notices.

The tests run the inventory, the fleet and the alert engine. The letters of samples and notices are
explained in `harness`. `|` is a reload of the configuration.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.config.config import Config
from tests.kinesis_answers import SHARD_LIMITS
from tests.monitor.alerting.harness import ALL, LETTER_OF_KIND, LETTERS, AlertingHarness, configuration
from tests.monitor.fleet.fleets import key
from tests.monitor.polling.inventories import KINESIS, NO_QUOTAS, FakeAccount, inventory_of, streams


def configuration_with(*overrides: Mapping[str, Any]) -> Config:
    """Return a configuration with overrides of alerts."""
    return configuration(route=ALL, alerts=[dict(override) for override in overrides])


class InventoriedHarness:
    """An alerting harness with the series that an inventory of Kinesis registered."""

    def __init__(self, harness: AlertingHarness, account: FakeAccount) -> None:
        self.harness, self.account = harness, account

    async def reload(self, *overrides: Mapping[str, Any]) -> None:
        """Apply overrides as the app does at a reload: a new inventory continues the earlier one."""
        config, earlier_inventory = configuration_with(*overrides), self.account.inventory
        self.account.inventory = inventory_of(
            earlier_inventory.cell,
            self.account.fleet,
            config,
            account_name=earlier_inventory.account_name,
        )
        self.account.inventory.discovered |= earlier_inventory.discovered
        self.harness.configure(config)
        await self.account.run_inventory(KINESIS)

    def write(self, resource: str, letter: str) -> None:
        """Write the sample of the present minute to the metrics of a stream."""
        fleet, (utilization, throttled) = self.harness.fleet, LETTERS[letter]
        slot = fleet.series[key(resource)].slot
        usage = utilization * float(fleet.limit[slot])
        for formulas, value in ((fleet.usages, usage), (fleet.throttled, throttled)):
            formula = formulas.get(slot)
            assert formula
            rows, minute = np.array(formula.rows), np.array([self.harness.minute])
            point = value / formula.weights[0]  # the formula multiplies the point of its one metric
            fleet.rings.write(rows, minute, np.array([point], np.float32))
            fleet.rings.mark_read(rows, self.harness.minute)

    async def run_minutes(self, **samples: str) -> str:
        """Write the samples of several streams minute by minute, and run the engine after each minute.

        Returns the letters of the notices sent.
        """
        letters_sent = ""
        for letters in zip(*samples.values(), strict=True):
            for resource, letter in zip(samples, letters, strict=True):
                self.write(resource, letter)
            self.harness.minute += 1
            self.harness.seconds = self.harness.minute * 60.0
            self.harness.set_read_result()
            letters_sent += (
                "".join(LETTER_OF_KIND[notice.kind] for notice in await self.harness.process()) or "."
            )
        return letters_sent


@asynccontextmanager
async def inventoried_harness(
    folder: Path, *overrides: Mapping[str, Any]
) -> AsyncIterator[InventoriedHarness]:
    """Yield a harness with two streams that an inventory found. It starts at the time of the system clock."""
    answers = {
        **streams(orders=1, clicks=1),
        "describe_limits": SHARD_LIMITS | {"OpenShardCount": 5},
        **NO_QUOTAS,
    }
    account, minute = FakeAccount(configuration_with(*overrides), "prod", **answers), int(time.time() // 60)
    await account.run_inventory(KINESIS)
    async with AlertingHarness.opened(
        folder, configuration_with(*overrides), minute, account.fleet
    ) as harness:
        yield InventoriedHarness(harness, account)


ORDERS = {"signal": "kinesis.stream_write_bytes", "resource": "orders"}
# Name, overrides, samples, and the letters of the notices.
DURATIONS: dict[str, tuple[list[Mapping[str, Any]], str, str]] = {
    "the durations of the catalogue": ([], "ccccccc......", ".....F......R"),
    "a shorter duration": ([{**ORDERS, "for": "2m"}], "ccccccc......", "..F.........R"),
    "`for: 0`": ([{**ORDERS, "for": 0}], "ccccccc......", "F...........R"),
    "a longer duration": ([{**ORDERS, "for": "10m"}], "ccccccccccc..", "..........F.."),
    "a duration that is no whole number of minutes": (
        [{**ORDERS, "for": "100s"}],
        "ccccccc......",
        "..F.........R",
    ),
    "`keep_firing_for: 0`": ([{**ORDERS, "keep_firing_for": 0}], "ccccccc......", ".....F.R....."),
    "a longer `keep_firing_for`": ([{**ORDERS, "keep_firing_for": "7m"}], "cccccc........", ".....F.......R"),
    "both `for` and `keep_firing_for`": (
        [{**ORDERS, "for": "1m", "keep_firing_for": "1m"}],
        ".cc.....",
        "..F.R...",
    ),
    "each key is taken from the last entry that has it": (
        [{**ORDERS, "for": "3m"}, {"service": "kinesis", "for": "1m"}, {**ORDERS, "keep_firing_for": "1m"}],
        "ccc.....",
        ".F..R...",
    ),
    "an override of the series' account, by its name": ([{"account": "prod", "for": "1m"}], "cc", ".F"),
    "an override of another account": ([{"account": "test", "for": "1m"}], "cccccc", ".....F"),
    "an override of another resource": ([{**ORDERS, "resource": "cl*", "for": "1m"}], "cccccc", ".....F"),
    "an override of another signal": (
        [{"signal": "kinesis.stream_write_records", "for": 0}],
        "cccccc",
        ".....F",
    ),
    "`for` does not delay an alert on throttling": ([{**ORDERS, "for": "10m"}], "s", "F"),
}


@pytest.mark.parametrize(("overrides", "samples", "expected"), DURATIONS.values(), ids=DURATIONS)
async def test_overrides_set_durations(
    overrides: list[Mapping[str, Any]], samples: str, expected: str, tmp_path: Path
) -> None:
    async with inventoried_harness(tmp_path, *overrides) as inventoried:
        assert await inventoried.run_minutes(orders=samples) == expected


WITHOUT_DELAYS = {"service": "kinesis", "for": 0, "keep_firing_for": 0}
# Name, an override, samples, and the severity and zone of each notice.
SEVERITIES: dict[str, tuple[Mapping[str, Any], str, list[str]]] = {
    "the defaults": ({}, "acs", ["info above", "warning near", "critical saturated"]),
    "near is critical": ({"near": "critical"}, "ac", ["info above", "critical near"]),
    "above is a warning": ({"above": "warning"}, "ac", ["warning above", "warning near"]),
    "saturated is info": ({"saturated": "info"}, "s", ["info saturated"]),
    "above is none": ({"above": "none"}, "ac", ["warning near"]),
    "near is none": ({"near": "none"}, "acs", ["info above", "critical saturated"]),
    "all severities are none": (dict.fromkeys(("above", "near", "saturated"), "none"), "acs", []),
}


@pytest.mark.parametrize(("override", "samples", "expected"), SEVERITIES.values(), ids=SEVERITIES)
async def test_overrides_set_severities(
    override: Mapping[str, Any], samples: str, expected: list[str], tmp_path: Path
) -> None:
    async with inventoried_harness(tmp_path, {**WITHOUT_DELAYS, **override}) as inventoried:
        await inventoried.run_minutes(orders=samples)
        notices = inventoried.harness.notices
        assert [f"{notice.severity} {notice.zone}" for notice in notices] == expected


async def test_an_override_of_one_resource_does_not_change_other_resources(tmp_path: Path) -> None:
    async with inventoried_harness(tmp_path, {**ORDERS, "for": "1m", "near": "critical"}) as inventoried:
        assert await inventoried.run_minutes(orders="cccccc", clicks="cccccc") == ".F...F"
        notices = inventoried.harness.notices
        severities = [(notice.labels["resource"], notice.severity) for notice in notices]
        assert severities == [("orders", "critical"), ("clicks", "warning")]


# Name, the override before and after a reload, samples, and the letters of the notices. `|` is the reload.
RELOADS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], str, str]] = {
    "a shorter `for` of a pending alert": ({"for": "10m"}, {"for": "3m"}, "cc|cc", "..|.F"),
    "a longer `for` of a pending alert": ({"for": "2m"}, {"for": "5m"}, "cc|cccc", "..|...F"),
    "a longer `for` of a firing alert": ({"for": 0}, {"for": "10m"}, "cc|cc", "F.|.."),
    "a shorter `keep_firing_for`": (
        {"for": 0, "keep_firing_for": "10m"},
        {"for": 0, "keep_firing_for": "3m"},
        "c..|...",
        "F..|.R.",
    ),
    "a higher severity": ({"for": 0}, {"for": 0, "near": "critical"}, "cc|cc", "F.|W."),
    "a lower severity": ({"for": 0}, {"for": 0, "near": "info"}, "cc|cc", "F.|E."),
    "an alert that is switched off": ({"for": 0}, {"near": "none", "above": "none"}, "cc|cc", "F.|R."),
    "an alert that is switched on": ({"near": "none", "above": "none"}, {}, "cccccc|c", "......|F"),
    "an override that is removed": ({"for": 0, "near": "critical"}, {}, "c|c", "F|E"),
}


@pytest.mark.parametrize(("before", "after", "samples", "expected"), RELOADS.values(), ids=RELOADS)
async def test_a_reload_changes_overrides_of_alerts(
    before: Mapping[str, Any], after: Mapping[str, Any], samples: str, expected: str, tmp_path: Path
) -> None:
    samples_before, samples_after = samples.split("|")
    async with inventoried_harness(tmp_path, {**ORDERS, **before}) as inventoried:
        notices_before = await inventoried.run_minutes(orders=samples_before)
        await inventoried.reload({**ORDERS, **after})
        notices_after = await inventoried.run_minutes(orders=samples_after)
        assert f"{notices_before}|{notices_after}" == expected
