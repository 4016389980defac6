"""APIs that share a name or are renamed: a series is identified by the API's id and shows its name."""

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
# REST APIs, as pairs of id and name.
ORDERS, OTHER_ORDERS, INTERNAL = (
    ("aaaaaaaaaa", "orders"),
    ("bbbbbbbbbb", "orders"),
    ("cccccccccc", "internal"),
)


def answers(*apis: tuple[str, str]) -> dict[str, Any]:
    """Return the answers of an API Gateway with these REST APIs. apis: pairs of id and name."""
    return {
        "get_account": {"throttleSettings": {"rateLimit": 10000.0, "burstLimit": 5000}},
        "get_apis": {"Items": []},
        "get_rest_apis": {"items": [{"id": api_id, "name": name} for api_id, name in apis]},
        "get_usage_plans": {"items": []},
        "get_stages": lambda **params: {"item": [STAGE]} if "restApiId" in params else {"Items": []},
        "get_service_quota": denied("GetServiceQuota"),
    }


def stages(account: FakeAccount) -> dict[str, tuple[str, float]]:
    """Return the shown name and the limit of each stage, by its id."""
    by_id = {}
    for key, series in account.fleet.series.items():
        if key.signal == "rest_stage_method_throttle" and series.settings.limit:
            by_id[key.subject.id] = key.resource, series.settings.limit.value
    return by_id


async def read_stages(account: FakeAccount, *apis: tuple[str, str]) -> dict[str, tuple[str, float]]:
    """Run an inventory of these APIs; return the shown name and the limit of each stage, by its id."""
    await account.run_inventory(apigateway.COLLECTOR, **answers(*apis))
    return stages(account)


async def test_a_second_api_with_the_same_name_does_not_change_the_series_of_the_first() -> None:
    settings = {
        "limits": [{"signal": SIGNAL, "resource": "orders/prod", "limit": 50}],
        "exclude": [{"resource": "internal/*"}],
    }
    account = FakeAccount(Config.model_validate(settings), **answers())
    assert await read_stages(account, ORDERS, INTERNAL) == {"aaaaaaaaaa/prod": ("orders/prod", 50)}
    assert await read_stages(account, ORDERS, INTERNAL, OTHER_ORDERS, ("dddddddddd", "internal")) == {
        "aaaaaaaaaa/prod": ("orders/prod", 50),
        "bbbbbbbbbb/prod": ("orders/prod", 50),
    }
    assert account.fleet.dropped == []


async def test_selectors_match_the_id_as_well_as_the_name() -> None:
    settings = {
        "limits": [{"resource": "aaaaaaaaaa/prod", "limit": 50}],
        "exclude": [{"resource": "cccccccccc/*"}],
    }
    account = FakeAccount(Config.model_validate(settings), **answers())
    assert await read_stages(account, ORDERS, OTHER_ORDERS, INTERNAL) == {
        "aaaaaaaaaa/prod": ("orders/prod", 50),
        "bbbbbbbbbb/prod": ("orders/prod", 100),
    }


async def test_a_renamed_api_keeps_its_series_which_shows_the_new_name() -> None:
    account = FakeAccount(**answers())
    await read_stages(account, ORDERS)
    version_before = account.fleet.version
    assert await read_stages(account, ("aaaaaaaaaa", "orders-v2")) == {
        "aaaaaaaaaa/prod": ("orders-v2/prod", 100)
    }
    assert account.fleet.dropped == [] and account.fleet.version > version_before


async def test_samples_of_two_apis_with_one_name_differ_by_id_and_show_a_new_name() -> None:
    account = FakeAccount(**answers())
    exposition = Exposition(account.fleet)

    async def exported_lines() -> list[str]:
        """Return the exported samples of the utilization of stages."""
        account.fleet.utilization[: account.fleet.size] = np.float32(0.5)
        await exposition.publish({})
        lines = text(exposition).splitlines()
        name = "headroom_utilization_ratio{"
        return [line for line in lines if line.startswith(name) and "rest_stage" in line]

    await read_stages(account, ORDERS, OTHER_ORDERS)
    assert len(set(await exported_lines())) == 2
    assert all('resource="orders/prod",resource_id="' in line for line in await exported_lines())
    await read_stages(account, ORDERS, ("bbbbbbbbbb", "green"))
    assert sorted(
        'resource="green/prod",resource_id="bbbbbbbbbb/prod"' in line for line in await exported_lines()
    ) == [False, True]
