"""APIs that share a name or are renamed: a series belongs to the id and shows the name."""

from typing import Any

import numpy as np

from collectors import apigateway
from monitor.config.config import Config
from monitor.exposition.exposition import Exposition
from tests.fake_aws import denied
from tests.monitor.fleet.fleets import text
from tests.monitor.polling.inventories import FakeAccount

STAGE = {
    "stageName": "prod",
    "methodSettings": {"*/*": {"throttlingRateLimit": 100.0, "throttlingBurstLimit": 5}},
}
SIGNAL = "apigateway.rest_stage_method_throttle"
ORDERS, SECOND, INTERNAL = ("aaaaaaaaaa", "orders"), ("bbbbbbbbbb", "orders"), ("cccccccccc", "internal")


def answers(*apis: tuple[str, str]) -> dict[str, Any]:
    """Return the answers of an API Gateway with REST APIs, each an id and a name."""
    return {
        "get_account": {"throttleSettings": {"rateLimit": 10000.0, "burstLimit": 5000}},
        "get_apis": {"Items": []},
        "get_rest_apis": {"items": [{"id": identity, "name": name} for identity, name in apis]},
        "get_usage_plans": {"items": []},
        "get_stages": lambda **requested: {"item": [STAGE]} if "restApiId" in requested else {"Items": []},
        "get_service_quota": denied("GetServiceQuota"),
    }


def stages(account: FakeAccount) -> dict[str, tuple[str, float]]:
    """The limit of each stage by its id, and what it is called."""
    found = {}
    for key, series in account.fleet.series.items():
        if key.signal == "rest_stage_method_throttle" and series.settings.limit:
            found[key.subject.id] = key.resource, series.settings.limit.value
    return found


async def read_stages(account: FakeAccount, *apis: tuple[str, str]) -> dict[str, tuple[str, float]]:
    """Run an inventory of these APIs; return the series of their stages."""
    await account.run_inventory(apigateway.COLLECTOR, **answers(*apis))
    return stages(account)


async def test_a_second_api_of_the_same_name_changes_nothing_of_the_first() -> None:
    given = {
        "limits": [{"signal": SIGNAL, "resource": "orders/prod", "limit": 50}],
        "exclude": [{"resource": "internal/*"}],
    }
    account = FakeAccount(Config.model_validate(given), **answers())
    assert await read_stages(account, ORDERS, INTERNAL) == {"aaaaaaaaaa/prod": ("orders/prod", 50)}
    assert await read_stages(account, ORDERS, INTERNAL, SECOND, ("dddddddddd", "internal")) == {
        "aaaaaaaaaa/prod": ("orders/prod", 50),
        "bbbbbbbbbb/prod": ("orders/prod", 50),
    }
    assert account.fleet.departed == []


async def test_selectors_take_the_id_as_well() -> None:
    given = {
        "limits": [{"resource": "aaaaaaaaaa/prod", "limit": 50}],
        "exclude": [{"resource": "cccccccccc/*"}],
    }
    account = FakeAccount(Config.model_validate(given), **answers())
    assert await read_stages(account, ORDERS, SECOND, INTERNAL) == {
        "aaaaaaaaaa/prod": ("orders/prod", 50),
        "bbbbbbbbbb/prod": ("orders/prod", 100),
    }


async def test_a_renamed_api_is_the_same_series_by_its_new_name() -> None:
    account = FakeAccount(**answers())
    await read_stages(account, ORDERS)
    version = account.fleet.version
    assert await read_stages(account, ("aaaaaaaaaa", "orders-v2")) == {
        "aaaaaaaaaa/prod": ("orders-v2/prod", 100)
    }
    assert account.fleet.departed == [] and account.fleet.version > version


async def test_the_samples_of_two_apis_of_one_name_differ_and_follow_a_new_name() -> None:
    account = FakeAccount(**answers())
    exposition = Exposition(account.fleet)

    async def samples() -> list[str]:
        account.fleet.utilization[: account.fleet.size] = np.float32(0.5)
        await exposition.publish({})
        found = text(exposition).splitlines()
        return [one for one in found if one.startswith("headroom_utilization_ratio{") and "rest_stage" in one]

    await read_stages(account, ORDERS, SECOND)
    assert len(set(await samples())) == 2
    assert all('resource="orders/prod",resource_id="' in one for one in await samples())
    await read_stages(account, ORDERS, ("bbbbbbbbbb", "green"))
    assert sorted(
        'resource="green/prod",resource_id="bbbbbbbbbb/prod"' in one for one in await samples()
    ) == [False, True]
