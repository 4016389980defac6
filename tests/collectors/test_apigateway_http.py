import json
from typing import Any

import pytest

from collectors.apigateway import connections, count, detailed_count, http, messages
from collectors.base import Observed, Unobservable, per_second
from tests.collectors.test_apigateway import api, command
from tests.fake_aws import FakeAws


async def seen_of_http(protocol: str = "HTTP", **stage: Any) -> dict[str, Observed]:
    stages = {"Items": [{"StageName": "$default", **stage}]}
    aws = FakeAws(get_apis={"Items": [api("h1", "web", protocol)]}, get_stages=stages)
    return {resource: one for (_, resource), one in (await aws.seen(http)).items()}


async def test_the_default_throttle_of_an_http_stage_is_held_against_its_requests() -> None:
    seen = await seen_of_http(DefaultRouteSettings={"ThrottlingRateLimit": 50.0})
    assert set(seen) == {"web/$default"}
    assert seen["web/$default"].signal == "http_route_throttle"
    assert seen["web/$default"].limit == 50.0
    assert seen["web/$default"].usage == per_second(count.of(ApiId="h1", Stage="$default"))
    assert seen["web/$default"].refused is None


async def test_a_web_socket_stage_counts_messages_and_connections() -> None:
    seen = await seen_of_http("WEBSOCKET", DefaultRouteSettings={"ThrottlingRateLimit": 50.0})
    where = {"ApiId": "h1", "Stage": "$default"}
    assert seen["web/$default"].usage == per_second(messages.of(**where), connections.of(**where))


async def test_the_throttle_of_a_route_is_held_against_its_detailed_metric() -> None:
    route = {"ThrottlingRateLimit": 5.0, "DetailedMetricsEnabled": True}
    seen = (await seen_of_http(RouteSettings={"GET /pets": route}))["web/$default/GET /pets"]
    assert seen.limit == 5.0
    assert seen.usage == per_second(
        detailed_count.of(ApiId="h1", Stage="$default", Method="GET", Resource="/pets")
    )


async def test_the_command_that_enables_a_routes_metrics_keeps_its_other_settings() -> None:
    route = {"ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 9}
    seen = (await seen_of_http(RouteSettings={"GET /bücher's": route}))["web/$default/GET /bücher's"]
    *words, settings = command(seen.usage)
    assert words == [
        *("aws", "apigatewayv2", "update-stage", "--region", "eu-west-1"),
        *("--api-id", "h1", "--stage-name", "$default", "--route-settings"),
    ]
    assert json.loads(settings) == {"GET /bücher's": {**route, "DetailedMetricsEnabled": True}}


@pytest.mark.parametrize("route", ["$default", "$connect", "sendMessage"])
async def test_a_route_without_method_and_path_cannot_be_enabled(route: str) -> None:
    settings = {"ThrottlingRateLimit": 5.0, "DetailedMetricsEnabled": True}
    seen = (await seen_of_http("WEBSOCKET", RouteSettings={route: settings}))[f"web/$default/{route}"]
    assert isinstance(seen.usage, Unobservable)
    assert seen.usage.enable is None


@pytest.mark.parametrize("rate", [{}, {"ThrottlingRateLimit": -1.0}])
async def test_a_route_without_a_throttle_is_no_limit(rate: dict[str, Any]) -> None:
    assert await seen_of_http(DefaultRouteSettings=rate, RouteSettings={"GET /": rate}) == {}
    assert await seen_of_http() == {}
