"""API Gateway: the throttles of the stages and routes of HTTP and WebSocket APIs."""

import json
from typing import Any

import pytest

from collectors.apigateway import connections, count, detailed_count, http_apis, messages
from collectors.base import Observed, Unobservable, per_second
from tests.collectors.test_apigateway import api, bounded_by, command, counted
from tests.fake_aws import FakeAws


async def http_series(protocol: str = "HTTP", **stage: Any) -> dict[str, Observed]:
    """Return the series of an API `web` with one stage `$default`, by the name of their resource."""
    stages = {"Items": [{"StageName": "$default", **stage}]}
    aws = FakeAws(get_apis={"Items": [api("h1", "web", protocol)]}, get_stages=stages)
    return {resource: one for (_, resource), one in (await aws.run_scan(http_apis)).items()}


async def test_the_default_throttle_holds_per_route_so_the_usage_of_a_stage_is_an_upper_bound() -> None:
    settings = {"ThrottlingRateLimit": 50.0, "ThrottlingBurstLimit": 90}
    series = await http_series(DefaultRouteSettings=settings)
    assert set(series) == {"web/$default"}
    assert series["web/$default"].signal == "http_route_throttle"
    assert series["web/$default"].limit == 50.0
    assert series["web/$default"].throttled is None
    why = bounded_by(series["web/$default"], count.of(ApiId="h1", Stage="$default"))
    *words, wanted = command(why)
    assert words == [
        *("aws", "apigatewayv2", "update-stage", "--region", "eu-west-1"),
        *("--api-id", "h1", "--stage-name=$default", "--default-route-settings"),
    ]
    assert json.loads(wanted) == {**settings, "DetailedMetricsEnabled": True}


async def test_where_detailed_metrics_count_the_routes_of_a_stage_each_is_judged() -> None:
    def route(path: str, verb: str) -> dict[str, str]:
        return {"ApiId": "h1", "Stage": "$default", "Resource": path, "Method": verb}

    settings = {"ThrottlingRateLimit": 50.0, "DetailedMetricsEnabled": True}
    own = {"POST /pets": {"ThrottlingRateLimit": 5.0, "DetailedMetricsEnabled": True}}
    aws = FakeAws(
        get_apis={"Items": [api("h1", "web")]},
        get_stages={
            "Items": [{"StageName": "$default", "DefaultRouteSettings": settings, "RouteSettings": own}]
        },
        list_metrics=counted(route("/pets", "GET"), route("/pets", "POST")),
    )
    series = {resource: one for (_, resource), one in (await aws.run_scan(http_apis)).items()}
    assert {resource: one.limit for resource, one in series.items()} == {
        "web/$default/GET /pets": 50.0,
        "web/$default/POST /pets": 5.0,
    }
    assert series["web/$default/GET /pets"].usage == per_second(detailed_count.of(**route("/pets", "GET")))


async def test_a_web_socket_stage_counts_messages_and_connections() -> None:
    settings = {"ThrottlingRateLimit": 50.0, "DetailedMetricsEnabled": True}
    series = await http_series("WEBSOCKET", DefaultRouteSettings=settings)
    where = {"ApiId": "h1", "Stage": "$default"}
    why = bounded_by(series["web/$default"], messages.of(**where), connections.of(**where))
    assert why.enable_command is None


async def test_the_throttle_of_a_route_is_held_against_its_detailed_metric() -> None:
    route = {"ThrottlingRateLimit": 5.0, "DetailedMetricsEnabled": True}
    series = (await http_series(RouteSettings={"GET /pets": route}))["web/$default/GET /pets"]
    assert series.limit == 5.0
    assert series.usage == per_second(
        detailed_count.of(ApiId="h1", Stage="$default", Method="GET", Resource="/pets")
    )


async def test_the_command_that_enables_a_routes_metrics_keeps_its_other_settings() -> None:
    route = {"ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 9}
    series = (await http_series(RouteSettings={"GET /bücher's": route}))["web/$default/GET /bücher's"]
    *words, settings = command(series.usage)
    assert words == [
        *("aws", "apigatewayv2", "update-stage", "--region", "eu-west-1"),
        *("--api-id", "h1", "--stage-name=$default", "--route-settings"),
    ]
    assert json.loads(settings) == {"GET /bücher's": {**route, "DetailedMetricsEnabled": True}}


@pytest.mark.parametrize("route", ["$default", "$connect", "sendMessage"])
async def test_a_route_without_method_and_path_cannot_be_enabled(route: str) -> None:
    settings = {"ThrottlingRateLimit": 5.0, "DetailedMetricsEnabled": True}
    series = (await http_series("WEBSOCKET", RouteSettings={route: settings}))[f"web/$default/{route}"]
    assert isinstance(series.usage, Unobservable)
    assert series.usage.enable_command is None


@pytest.mark.parametrize("rate", [{}, {"ThrottlingRateLimit": -1.0}])
async def test_a_route_without_a_throttle_is_no_limit(rate: dict[str, Any]) -> None:
    assert await http_series(DefaultRouteSettings=rate, RouteSettings={"GET /": rate}) == {}
    assert await http_series() == {}
