"""/api/v1/paths: the list of request paths, and one request path with its hops."""

import httpx
import pytest

from monitor.topology.path_status import PathStatuses
from tests.monitor.fleet_server import Server, error_of, json_of
from tests.monitor.topology.test_evaluation import CHECKOUT, checkout

PATHS = "/api/v1/paths"


async def test_a_path_has_its_flow_capacity_and_weakest_limit(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.paths = PathStatuses([await checkout().status(CHECKOUT)], 1)
    path_list = await json_of(client, PATHS)
    (item,) = path_list["items"]
    assert path_list["total"] == 1
    assert (item["name"], item["unit"], item["zone"]) == ("checkout", "requests", "within")
    assert (item["flow"], item["capacity"], item["headroom"]) == pytest.approx((100, 250, 150))
    assert item["at_most"] is False and item["reasons"] == []
    assert item["weakest"]["signal"] == "table_write_capacity"
    assert item["weakest"]["per_request"] == pytest.approx(4)
    assert item["next"]["signal"] == "account_concurrency"
    assert item["payload"]["bytes"] == 400 * 1024
    assert "hops" not in item


async def test_a_path_has_its_hops_with_their_usage_per_request(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.paths = PathStatuses([await checkout().status(CHECKOUT)], 1)
    path_item = await json_of(client, f"{PATHS}/checkout")
    api, function, table = path_item["hops"]
    assert (api["basis"], api["per_request"], api["after"]) == ("entrance", 1, [])
    assert (function["basis"], function["per_request"], function["after"]) == ("measured", 2, [0])
    assert function["each"] == {"duration": 0.5}
    assert (function["account"], function["region"]) == ("123456789012", "eu-west-1")
    assert (table["basis"], table["per_request"], table["known"]) == ("", None, True)
    (limit,) = table["limits"]
    assert limit == path_item["weakest"]
    assert (
        await client.get(f"/api/v1/series/{limit['series_id']}")
    ).status_code == 404  # the path is of another fleet


async def test_unknown_numbers_of_a_path_are_null_with_a_reason(
    server: Server, client: httpx.AsyncClient
) -> None:
    path_fleet = checkout()
    path_fleet.set_flow("Count", float("nan"), "shop", "prod")
    server.paths = PathStatuses([await path_fleet.status(CHECKOUT)], 1)
    path_item = await json_of(client, f"{PATHS}/checkout")
    assert [path_item[name] for name in ("flow", "capacity", "headroom", "weakest", "next")] == [None] * 5
    assert path_item["at_most"] is True
    assert "no requests are counted" in path_item["reasons"][0]


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (PathStatuses([], 0), "the configuration names no file with paths in `path_files`"),
        (PathStatuses([], 2), "the paths are not evaluated yet"),
    ],
)
async def test_without_paths_the_list_is_empty_and_the_not_found_error_has_the_reason(
    server: Server, client: httpx.AsyncClient, paths: PathStatuses, sentence: str
) -> None:
    server.paths = paths
    assert (await json_of(client, PATHS)) == {"items": [], "total": 0}
    response = await client.get(f"{PATHS}/checkout")
    assert response.status_code == 404 and sentence in error_of(response)


async def test_an_unknown_name_is_not_found_with_the_nearest_name(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.paths = PathStatuses([await checkout().status(CHECKOUT)], 1)
    response = await client.get(f"{PATHS}/chekout")
    assert response.status_code == 404
    assert error_of(response) == "no request path is called chekout; did you mean checkout?"
