"""API Gateway: the throttle of the account, and the throttles of REST APIs' stages and methods."""

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from collectors.apigateway import (
    COLLECTOR,
    account,
    connections,
    count,
    detailed_count,
    messages,
    rest_apis,
)
from collectors.apigateway_methods import parse_setting_key
from collectors.base import ACCOUNT, Metric, Observed, Unobservable, Usage, per_second
from tests.fake_aws import FakeAws, denied
from tests.registries import REGISTRY

SIGNALS = REGISTRY.services["apigateway"].signals
THROTTLE = {"throttleSettings": {"rateLimit": 2500.0, "burstLimit": 1250}}
NO_APIS: dict[str, Any] = {"get_rest_apis": {}, "get_apis": {}}


def rest_api_list(*apis: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Return a response of GetRestApis. apis: ids and names. more: further members of each API."""
    return {"items": [{"id": identity, "name": name, **more} for identity, name in apis]}


def api(identity: str, name: str, protocol: str = "HTTP", **more: Any) -> dict[str, Any]:
    """Return an HTTP or WebSocket API, as AWS describes it."""
    return {"ApiId": identity, "Name": name, "ProtocolType": protocol, "RouteSelectionExpression": "", **more}


def stage(name: str, **settings: dict[str, Any]) -> dict[str, Any]:
    """Return a stage of a REST API. settings: the settings of its methods, by the methods' keys."""
    return {"stageName": name, "methodSettings": settings}


async def rest_series(*stages: dict[str, Any], name: str = "shop") -> dict[str, Observed]:
    """Return the series of a REST API with these stages, by the name of their resource."""
    aws = FakeAws(get_rest_apis=rest_api_list(("r1", name)), get_stages={"item": list(stages)})
    return {resource: observed for (_, resource), observed in (await aws.run_scan(rest_apis)).items()}


def command(usage: Any) -> list[str]:
    """Return the words of the command that makes an unobservable usage observable."""
    assert isinstance(usage, Unobservable)
    assert usage.enable_command
    return shlex.split(usage.enable_command)


async def test_the_usage_of_the_account_is_the_sum_of_the_requests_to_all_its_apis() -> None:
    aws = FakeAws(
        get_account=THROTTLE,
        get_rest_apis=rest_api_list(("r1", "shop")),
        get_apis={"Items": [api("h1", "web"), api("w1", "chat", "WEBSOCKET")]},
    )
    assert await aws.run_scan(account) == {
        ("account_throttle_rate", ""): Observed(
            signal="account_throttle_rate",
            resource=ACCOUNT,
            limit=2500.0,
            usage=per_second(
                count.of(ApiName="shop"),
                count.of(ApiId="h1"),
                messages.of(ApiId="w1"),
                connections.of(ApiId="w1"),
            ),
            throttled=None,  # CloudWatch does not tell 429 from other client errors
        )
    }


async def test_rest_apis_of_the_same_name_share_a_metric_that_is_counted_once() -> None:
    twins = rest_api_list(("r1", "shop"), ("r2", "shop"))
    aws = FakeAws(get_account=THROTTLE, get_rest_apis=twins, get_apis={})
    usage = (await aws.run_scan(account))["account_throttle_rate", ""].usage
    assert usage == per_second(count.of(ApiName="shop"))


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("shop", "shop"),
        ("Bücher", "Bcher"),
        ("注文", "r1"),
        ("注文 管理", "r1"),
        ('it\'s "x"\n', 'it\'s "x"\n'),
        ("", "r1"),
        (" ", "r1"),
        ("\t", "r1"),
    ],
)
async def test_cloudwatch_names_a_rest_api_in_ascii_or_by_its_id(name: str, metric: str) -> None:
    aws = FakeAws(get_account=THROTTLE, get_rest_apis=rest_api_list(("r1", name)), get_apis={})
    observed = (await aws.run_scan(account))["account_throttle_rate", ""]
    expected = count.of(ApiName=metric)
    # A name with control characters is no valid dimension, so no metric is read.
    assert observed.usage == (per_second(expected) if metric.isprintable() else 0)


async def test_the_usage_of_an_account_without_apis_is_0() -> None:
    aws = FakeAws(get_account=THROTTLE, **NO_APIS)
    assert (await aws.run_scan(account))["account_throttle_rate", ""].usage == 0


@pytest.mark.parametrize("answer", [None, {}])
async def test_the_account_has_a_series_without_a_limit_if_its_throttle_cannot_be_read(
    answer: Any,
) -> None:
    aws = FakeAws(get_account=answer, get_rest_apis=rest_api_list(("r1", "shop")), get_apis={})
    series = (await aws.run_scan(account))["account_throttle_rate", ""]
    assert series.limit is None
    assert series.usage == per_second(count.of(ApiName="shop"))
    operations = [failure.operation for failure in aws.scan.failures]
    assert operations == ([] if answer is not None else ["GetAccount"])


@pytest.mark.parametrize(("region", "rate"), [("eu-west-1", 10_000), ("eu-south-1", 2500)])
def test_some_regions_have_a_quarter_of_the_default_throttle(region: str, rate: float) -> None:
    assert SIGNALS["account_throttle_rate"].default_limit(region) == rate


async def test_every_page_of_apis_is_read() -> None:
    aws = FakeAws(
        get_account=THROTTLE,
        get_rest_apis=[rest_api_list(("r1", "a")) | {"position": "p"}, rest_api_list(("r2", "b"))],
        get_apis=[{"Items": [api("h1", "c")], "NextToken": "n"}, {"Items": [api("h2", "d")]}],
    )
    usage = (await aws.run_scan(account))["account_throttle_rate", ""].usage
    assert isinstance(usage, Usage)
    assert [dict(metric.dimensions) for metric in usage.metrics] == [
        {"ApiName": "a"},
        {"ApiName": "b"},
        {"ApiId": "h1"},
        {"ApiId": "h2"},
    ]


def assert_bounds(observed: Observed, *metrics: Metric) -> Unobservable:
    """Assert that a usage is between 0 and the sum of these metrics. Return why it is not exact."""
    whole = per_second(*metrics)
    assert (observed.usage, observed.upper_bound) == (whole.scaled(0), whole)
    assert observed.bounded_because
    return observed.bounded_because


async def test_all_requests_to_a_rest_stage_are_an_upper_bound_of_the_usage_of_each_methods_throttle() -> (
    None
):
    series = await rest_series(stage("prod", **{"*/*": {"throttlingRateLimit": 100.0}}))
    assert set(series) == {"shop/prod"}
    assert series["shop/prod"].signal == "rest_stage_method_throttle"
    assert series["shop/prod"].limit == 100.0
    assert series["shop/prod"].throttled is None
    reason = assert_bounds(series["shop/prod"], count.of(ApiName="shop", Stage="prod"))
    assert command(reason) == [
        *("aws", "apigateway", "update-stage", "--region", "eu-west-1"),
        *("--rest-api-id", "r1", "--stage-name=prod", "--patch-operations"),
        "op=replace,path=/*/*/metrics/enabled,value=true",
    ]


def metric_list(*metrics: dict[str, str]) -> dict[str, Any]:
    """Return a response of ListMetrics that has `Count` with each of these dimensions."""
    return {
        "Metrics": [
            {
                "Namespace": "AWS/ApiGateway",
                "MetricName": "Count",
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            }
            for dimensions in metrics
        ]
    }


def method(path: str, verb: str, stage: str = "prod") -> dict[str, str]:
    """Return the dimensions of the detailed metrics of a method of the API `shop`."""
    return {"ApiName": "shop", "Stage": stage, "Resource": path, "Method": verb}


DETAILED_SETTINGS = {"throttlingRateLimit": 100.0, "metricsEnabled": True}


async def test_each_method_that_detailed_metrics_count_has_a_series() -> None:
    own_settings = {"throttlingRateLimit": 5.0, "metricsEnabled": True}
    requested = []

    def list_metrics(**params: Any) -> dict[str, Any]:
        requested.append(params)
        active = method("/pets", "GET"), method("/pets", "POST"), method("/own", "GET"), method("/any", "PUT")
        return metric_list(
            *active, method("/pets", "GET", "other"), method("/", "GET") | {"Further": "dimension"}
        )

    aws = FakeAws(
        get_rest_apis=rest_api_list(("r1", "shop")),
        get_stages={
            "item": [
                stage(
                    "prod", **{"*/*": DETAILED_SETTINGS, "~1own/GET": own_settings, "~1any/ANY": own_settings}
                )
            ]
        },
        list_metrics=list_metrics,
    )
    series = {resource: observed for (_, resource), observed in (await aws.run_scan(rest_apis)).items()}
    assert {resource: observed.limit for resource, observed in series.items()} == {
        "shop/prod/GET /pets": 100.0,
        "shop/prod/POST /pets": 100.0,
        "shop/prod/GET /own": 5.0,
        "shop/prod/ANY /any": 5.0,
    }
    post = series["shop/prod/POST /pets"]
    assert post.usage == per_second(detailed_count.of(**method("/pets", "POST")))
    assert (post.upper_bound, post.bounded_because) == (None, None)
    filters = [
        {"Name": "ApiName", "Value": "shop"},
        *({"Name": name} for name in ("Stage", "Resource", "Method")),
    ]
    assert [(params["Namespace"], params["MetricName"], params["Dimensions"]) for params in requested] == [
        ("AWS/ApiGateway", "Count", filters)
    ]


async def test_the_usage_of_a_stage_whose_methods_had_no_requests_is_only_bounded() -> None:
    aws = FakeAws(
        get_rest_apis=rest_api_list(("r1", "shop")),
        get_stages={"item": [stage("prod", **{"*/*": DETAILED_SETTINGS})]},
        list_metrics=metric_list(),
    )
    series = await aws.run_scan(rest_apis)
    reason = assert_bounds(
        series["rest_stage_method_throttle", "shop/prod"], count.of(ApiName="shop", Stage="prod")
    )
    assert (reason.reason, reason.enable_command) == (
        "the throttle holds for each method, and none had requests in the last three hours",
        None,
    )


async def test_a_failure_to_list_methods_affects_their_api_alone() -> None:
    aws = FakeAws(
        get_rest_apis=rest_api_list(("r1", "shop"), ("r2", "web")),
        get_stages=lambda restApiId: {
            "item": [
                stage(
                    "prod",
                    **{"*/*": DETAILED_SETTINGS if restApiId == "r1" else {"throttlingRateLimit": 9.0}},
                )
            ]
        },
        list_metrics=denied("ListMetrics"),
    )
    assert {resource for _, resource in await aws.run_scan(rest_apis)} == {"web/prod"}
    failures = [(failure.operation, failure.resource) for failure in aws.scan.failures]
    assert failures == [("ListMetrics", "shop")]


@pytest.mark.parametrize("settings", [{}, {"metricsEnabled": True}, {"throttlingRateLimit": 9.0}])
async def test_methods_are_listed_only_if_a_stage_has_a_throttle_and_detailed_metrics(
    settings: dict[str, Any],
) -> None:
    aws = FakeAws(
        get_rest_apis=rest_api_list(("r1", "shop")),
        get_stages={"item": [stage("prod", **{"*/*": settings, "~1/GET": DETAILED_SETTINGS})]},
    )
    await aws.run_scan(rest_apis)
    assert "cloudwatch:ListMetrics" not in aws.calls


async def test_the_methods_of_an_api_whose_name_is_no_valid_dimension_are_not_listed() -> None:
    aws = FakeAws(
        get_rest_apis=rest_api_list(("r1", "two\nlines")),
        get_stages={"item": [stage("prod", **{"*/*": DETAILED_SETTINGS})]},
    )
    assert {resource for _, resource in await aws.run_scan(rest_apis)} == {"two\nlines/prod"}
    assert aws.scan.failures == []


async def test_an_api_without_a_valid_metric_makes_the_usage_of_the_account_a_lower_bound() -> None:
    apis = rest_api_list(("r1", "two\nlines"), ("r2", "shop"))
    aws = FakeAws(get_account=THROTTLE, get_rest_apis=apis, get_apis={})
    series = (await aws.run_scan(account))["account_throttle_rate", ""]
    assert series.usage == per_second(count.of(ApiName="shop"))
    assert series.upper_bound is None
    assert series.bounded_because and "the requests to an API are missing" in series.bounded_because.reason


async def test_the_throttle_of_a_method_limits_its_detailed_metric() -> None:
    settings = {"throttlingRateLimit": 20.0, "metricsEnabled": True}
    series = await rest_series(stage("prod", **{"~1pets~1{id}/GET": settings}))
    observed = series["shop/prod/GET /pets/{id}"]
    assert observed.limit == 20.0
    assert observed.usage == per_second(
        detailed_count.of(ApiName="shop", Stage="prod", Resource="/pets/{id}", Method="GET")
    )


async def test_a_method_without_detailed_metrics_is_not_observable_and_the_command_enables_them() -> None:
    series = await rest_series(stage("prod", **{"~1pets~1{id}/GET": {"throttlingRateLimit": 20.0}}))
    observed = series["shop/prod/GET /pets/{id}"]
    assert observed.limit == 20.0
    assert command(observed.usage) == [
        *("aws", "apigateway", "update-stage", "--region", "eu-west-1"),
        *("--rest-api-id", "r1", "--stage-name=prod", "--patch-operations"),
        "op=replace,path=/~1pets~1{id}/GET/metrics/enabled,value=true",
    ]


@pytest.mark.parametrize("rate", [{}, {"throttlingRateLimit": -1.0}, {"throttlingRateLimit": 0.0}])
async def test_a_throttle_that_is_not_set_gives_no_series(rate: dict[str, Any]) -> None:
    assert await rest_series(stage("prod", **{"*/*": rate, "~1pets/GET": rate})) == {}
    assert await rest_series({"stageName": "prod"}) == {}


@pytest.mark.parametrize(
    ("key", "path", "verb"),
    [
        ("*/*", "/*", "*"),
        ("/*/*", "/*", "*"),
        ("~1/GET", "/", "GET"),
        ("/GET", "/", "GET"),
        ("~1pets/GET", "/pets", "GET"),
        ("pets/GET", "/pets", "GET"),
        ("/~1pets~1{proxy+}/ANY", "/pets/{proxy+}", "ANY"),
        ("~1a~01b/GET", "/a~1b", "GET"),
        ("~1bücher~1it's/GET", "/bücher/it's", "GET"),
    ],
)
def test_keys_of_method_settings_are_parsed_into_path_and_verb(key: str, path: str, verb: str) -> None:
    assert parse_setting_key(key) == (path, verb)


async def test_stages_of_apis_of_one_name_share_a_display_name_and_have_different_paths() -> None:
    aws = FakeAws(
        get_rest_apis=rest_api_list(("r1", "shop"), ("r2", "shop"), ("r3", "it's")),
        get_stages={"item": [stage("prod", **{"*/*": {"throttlingRateLimit": 1.0}})]},
    )
    resources = [observed.resource async for observed in rest_apis(aws.scan)]
    assert {resource.path: resource.display_name for resource in resources} == {
        ("r1", "prod"): "shop/prod",
        ("r2", "prod"): "shop/prod",
        ("r3", "prod"): "it's/prod",
    }


async def test_a_series_has_the_tags_of_its_api_overridden_by_those_of_its_stage() -> None:
    tagged = stage("prod", **{"*/*": {"throttlingRateLimit": 1.0}}) | {"tags": {"env": "prod", "team": "b"}}
    aws = FakeAws(
        get_rest_apis=rest_api_list(("r1", "shop"), tags={"team": "a", "cost": "1"}),
        get_stages={"item": [tagged]},
    )
    assert (await aws.run_scan(rest_apis))["rest_stage_method_throttle", "shop/prod"].tags == {
        "team": "b",
        "cost": "1",
        "env": "prod",
    }


def test_a_missing_point_is_zero_only_of_a_metric_that_is_always_on() -> None:
    assert count.zero_when_absent
    assert not detailed_count.zero_when_absent


def get_stages_of_two_apis(rest: str, http: str) -> Callable[..., dict[str, Any] | Exception]:
    """Return a function that answers GetStages: with a stage for these two APIs, with a denial for others."""

    def answer(restApiId: str = "", ApiId: str = "") -> dict[str, Any] | Exception:
        if restApiId == rest:
            return {"item": [stage("prod", **{"*/*": {"throttlingRateLimit": 1.0}})]}
        if ApiId == http:
            throttled = {"DefaultRouteSettings": {"ThrottlingRateLimit": 1.0}}
            return {"Items": [{"StageName": "prod", **throttled}]}
        return denied("GetStages")

    return answer


async def test_an_api_or_plan_that_cannot_be_read_affects_only_itself() -> None:
    quota = {"quota": {"limit": 10, "period": "DAY"}}
    aws = FakeAws(
        get_account=THROTTLE,
        get_rest_apis=rest_api_list(("r1", "shop"), ("r2", "secret")),
        get_apis={"Items": [api("h1", "web"), api("h2", "hidden")]},
        get_stages=get_stages_of_two_apis(rest="r1", http="h1"),
        get_usage_plans={
            "items": [{"id": "p1", "name": "gold", **quota}, {"id": "p2", "name": "iron", **quota}]
        },
        get_usage=lambda usagePlanId, **_: (
            denied("GetUsage") if usagePlanId == "p2" else {"items": {"key": [[1, 9]]}}
        ),
    )
    assert set(await aws.run_all_scans(COLLECTOR)) == {
        ("account_throttle_rate", ""),
        ("rest_stage_method_throttle", "shop/prod"),
        ("http_route_throttle", "web/prod"),
        ("usage_plan_quota", "gold/key"),
    }
    assert [(failure.operation, failure.resource) for failure in aws.scan.failures] == [
        ("GetStages", "secret"),
        ("GetStages", "hidden"),
        ("GetUsage", "iron"),
    ]


async def test_the_collector_declares_exactly_the_permissions_and_metrics_that_it_uses() -> None:
    detailed = {"throttlingRateLimit": 1.0, "metricsEnabled": True}
    plan = {
        "id": "p1",
        "name": "gold",
        "throttle": {"rateLimit": 1.0},
        "quota": {"limit": 10, "period": "DAY"},
    }
    aws = FakeAws(
        get_account=THROTTLE,
        get_rest_apis=rest_api_list(("r1", "shop")),
        get_apis={"Items": [api("h1", "web"), api("w1", "chat", "WEBSOCKET")]},
        get_stages=lambda restApiId="", ApiId="": (
            {"item": [stage("prod", **{"~1/GET": detailed, "*/*": detailed})]}
            if restApiId
            else {"Items": [{"StageName": "s", "DefaultRouteSettings": {"ThrottlingRateLimit": 1.0}}]}
        ),
        get_usage_plans={"items": [plan]},
        get_usage={"items": {"key": [[1, 9]]}},
        list_metrics=metric_list(method("/pets", "GET")),
    )
    series = await aws.run_all_scans(COLLECTOR)
    assert aws.iam_actions == set(COLLECTOR.iam_actions)
    assert {signal for signal, _ in series} == set(SIGNALS)
    usages = [usage for observed in series.values() for usage in (observed.usage, observed.upper_bound)]
    used_metrics = {metric.of() for usage in usages if isinstance(usage, Usage) for metric in usage.metrics}
    assert used_metrics == set(COLLECTOR.metrics)
    assert sum(COLLECTOR.call_rates.values()) <= 10  # both APIs share the control plane's rate
