"""API Gateway: the throttles of the stages and routes of HTTP and WebSocket APIs."""

import json
from typing import Any

import pytest

from collectors.apigateway import connections, count, detailed_count, http_apis, messages
from collectors.base import Observed, Unobservable, per_second
from tests.collectors.test_apigateway import api, assert_bounds, command, metric_list
from tests.fake_aws import FakeAws


async def http_series(protocol: str = "HTTP", **stage: Any) -> dict[str, Observed]:
    """Return the series of an API `web` with one stage `$default`, by the name of their resource."""
    stages = {"Items": [{"StageName": "$default", **stage}]}
    aws = FakeAws(get_apis={"Items": [api("h1", "web", protocol)]}, get_stages=stages)
    return {resource: observed for (_, resource), observed in (await aws.run_scan(http_apis)).items()}


async def test_all_requests_to_a_stage_are_an_upper_bound_of_the_usage_of_each_routes_throttle() -> None:
    settings = {"ThrottlingRateLimit": 50.0, "ThrottlingBurstLimit": 90}
    series = await http_series(DefaultRouteSettings=settings)
    assert set(series) == {"web/$default"}
    assert series["web/$default"].signal == "http_route_throttle"
    assert series["web/$default"].limit == 50.0
    assert series["web/$default"].throttled is None
    reason = assert_bounds(series["web/$default"], count.of(ApiId="h1", Stage="$default"))
    *words, new_settings = command(reason)
    assert words == [
        *("aws", "apigatewayv2", "update-stage", "--region", "eu-west-1"),
        *("--api-id", "h1", "--stage-name=$default", "--default-route-settings"),
    ]
    assert json.loads(new_settings) == {**settings, "DetailedMetricsEnabled": True}


async def test_each_route_that_detailed_metrics_count_has_a_series() -> None:
    def route(path: str, verb: str) -> dict[str, str]:
        return {"ApiId": "h1", "Stage": "$default", "Resource": path, "Method": verb}

    settings = {"ThrottlingRateLimit": 50.0, "DetailedMetricsEnabled": True}
    route_settings = {"POST /pets": {"ThrottlingRateLimit": 5.0, "DetailedMetricsEnabled": True}}
    aws = FakeAws(
        get_apis={"Items": [api("h1", "web")]},
        get_stages={
            "Items": [
                {"StageName": "$default", "DefaultRouteSettings": settings, "RouteSettings": route_settings}
            ]
        },
        list_metrics=metric_list(route("/pets", "GET"), route("/pets", "POST")),
    )
    series = {resource: observed for (_, resource), observed in (await aws.run_scan(http_apis)).items()}
    assert {resource: observed.limit for resource, observed in series.items()} == {
        "web/$default/GET /pets": 50.0,
        "web/$default/POST /pets": 5.0,
    }
    assert series["web/$default/GET /pets"].usage == per_second(detailed_count.of(**route("/pets", "GET")))


async def test_the_usage_of_a_web_socket_stage_is_its_messages_and_connections() -> None:
    settings = {"ThrottlingRateLimit": 50.0, "DetailedMetricsEnabled": True}
    series = await http_series("WEBSOCKET", DefaultRouteSettings=settings)
    dimensions = {"ApiId": "h1", "Stage": "$default"}
    reason = assert_bounds(series["web/$default"], messages.of(**dimensions), connections.of(**dimensions))
    assert reason.enable_command is None


async def test_the_throttle_of_a_route_limits_its_detailed_metric() -> None:
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
async def test_a_route_without_method_and_path_is_unobservable_and_no_command_changes_that(
    route: str,
) -> None:
    settings = {"ThrottlingRateLimit": 5.0, "DetailedMetricsEnabled": True}
    series = (await http_series("WEBSOCKET", RouteSettings={route: settings}))[f"web/$default/{route}"]
    assert isinstance(series.usage, Unobservable)
    assert series.usage.enable_command is None


@pytest.mark.parametrize("rate", [{}, {"ThrottlingRateLimit": -1.0}])
async def test_a_route_without_a_throttle_has_no_series(rate: dict[str, Any]) -> None:
    assert await http_series(DefaultRouteSettings=rate, RouteSettings={"GET /": rate}) == {}
    assert await http_series() == {}
