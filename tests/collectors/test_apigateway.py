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
    path_and_verb,
    rest,
)
from collectors.base import ACCOUNT, Observed, Unobservable, Usage, per_second
from rules.limits import catalogue
from tests.fake_aws import FakeAws, denied

SIGNALS = catalogue()["apigateway"].signals
THROTTLE = {"throttleSettings": {"rateLimit": 2500.0, "burstLimit": 1250}}
NO_APIS: dict[str, Any] = {"get_rest_apis": {}, "get_apis": {}}


def rest_apis(*apis: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"items": [{"id": identity, "name": name, **more} for identity, name in apis]}


def api(identity: str, name: str, protocol: str = "HTTP", **more: Any) -> dict[str, Any]:
    return {"ApiId": identity, "Name": name, "ProtocolType": protocol, "RouteSelectionExpression": "", **more}


def stage(name: str, **settings: dict[str, Any]) -> dict[str, Any]:
    """A stage of a REST API; settings by key of the method settings."""
    return {"stageName": name, "methodSettings": settings}


async def seen_of_rest(*stages: dict[str, Any], name: str = "shop") -> dict[str, Observed]:
    aws = FakeAws(get_rest_apis=rest_apis(("r1", name)), get_stages={"item": list(stages)})
    return {resource: one for (_, resource), one in (await aws.seen(rest)).items()}


def command(usage: Any) -> list[str]:
    assert isinstance(usage, Unobservable)
    assert usage.enable
    return shlex.split(usage.enable)


async def test_the_account_is_the_sum_of_all_its_apis() -> None:
    aws = FakeAws(
        get_account=THROTTLE,
        get_rest_apis=rest_apis(("r1", "shop")),
        get_apis={"Items": [api("h1", "web"), api("w1", "chat", "WEBSOCKET")]},
    )
    assert await aws.seen(account) == {
        ("account_throttle_rate", ACCOUNT): Observed(
            signal="account_throttle_rate",
            resource=ACCOUNT,
            limit=2500.0,
            usage=per_second(
                count.of(ApiName="shop"),
                count.of(ApiId="h1"),
                messages.of(ApiId="w1"),
                connections.of(ApiId="w1"),
            ),
            refused=None,  # CloudWatch does not tell 429 from other client errors
        )
    }


async def test_rest_apis_of_the_same_name_share_a_metric_that_is_counted_once() -> None:
    twins = rest_apis(("r1", "shop"), ("r2", "shop"))
    aws = FakeAws(get_account=THROTTLE, get_rest_apis=twins, get_apis={})
    usage = (await aws.seen(account))["account_throttle_rate", ACCOUNT].usage
    assert usage == per_second(count.of(ApiName="shop"))


@pytest.mark.parametrize(
    ("name", "metric"),
    [("shop", "shop"), ("Bücher", "Bcher"), ("注文", "r1"), ('it\'s "x"\n', 'it\'s "x"\n'), ("", "r1")],
)
async def test_cloudwatch_names_a_rest_api_in_ascii_or_by_its_id(name: str, metric: str) -> None:
    aws = FakeAws(get_account=THROTTLE, get_rest_apis=rest_apis(("r1", name)), get_apis={})
    usage = (await aws.seen(account))["account_throttle_rate", ACCOUNT].usage
    assert usage == per_second(count.of(ApiName=metric))


async def test_an_account_without_apis_uses_nothing() -> None:
    aws = FakeAws(get_account=THROTTLE, **NO_APIS)
    assert (await aws.seen(account))["account_throttle_rate", ACCOUNT].usage == 0


@pytest.mark.parametrize("answer", [None, {}])
async def test_the_accounts_signal_is_there_when_its_throttle_is_not(answer: Any) -> None:
    aws = FakeAws(get_account=answer, get_rest_apis=rest_apis(("r1", "shop")), get_apis={})
    seen = (await aws.seen(account))["account_throttle_rate", ACCOUNT]
    assert seen.limit is None
    assert seen.usage == per_second(count.of(ApiName="shop"))
    operations = [failure.operation for failure in aws.look.failures]
    assert operations == ([] if answer is not None else ["GetAccount"])


@pytest.mark.parametrize(("region", "rate"), [("eu-west-1", 10_000), ("eu-south-1", 2500)])
def test_some_regions_have_a_quarter_of_the_throttle(region: str, rate: float) -> None:
    assert SIGNALS["account_throttle_rate"].documented(region) == rate


async def test_every_page_of_apis_is_read() -> None:
    aws = FakeAws(
        get_account=THROTTLE,
        get_rest_apis=[rest_apis(("r1", "a")) | {"position": "p"}, rest_apis(("r2", "b"))],
        get_apis=[{"Items": [api("h1", "c")], "NextToken": "n"}, {"Items": [api("h2", "d")]}],
    )
    usage = (await aws.seen(account))["account_throttle_rate", ACCOUNT].usage
    assert isinstance(usage, Usage)
    assert [dict(metric.dimensions) for metric, _ in usage.terms] == [
        {"ApiName": "a"},
        {"ApiName": "b"},
        {"ApiId": "h1"},
        {"ApiId": "h2"},
    ]


async def test_the_throttle_of_a_rest_stage_is_held_against_its_requests() -> None:
    seen = await seen_of_rest(stage("prod", **{"*/*": {"throttlingRateLimit": 100.0}}))
    assert set(seen) == {"shop/prod"}
    assert seen["shop/prod"].signal == "rest_stage_method_throttle"
    assert seen["shop/prod"].limit == 100.0
    assert seen["shop/prod"].usage == per_second(count.of(ApiName="shop", Stage="prod"))
    assert seen["shop/prod"].refused is None


async def test_the_throttle_of_a_method_is_held_against_its_detailed_metric() -> None:
    settings = {"throttlingRateLimit": 20.0, "metricsEnabled": True}
    seen = await seen_of_rest(stage("prod", **{"~1pets~1{id}/GET": settings}))
    method = seen["shop/prod/GET /pets/{id}"]
    assert method.limit == 20.0
    assert method.usage == per_second(
        detailed_count.of(ApiName="shop", Stage="prod", Resource="/pets/{id}", Method="GET")
    )


async def test_a_method_without_detailed_metrics_is_not_observable_and_the_command_enables_them() -> None:
    seen = await seen_of_rest(stage("prod", **{"~1pets~1{id}/GET": {"throttlingRateLimit": 20.0}}))
    method = seen["shop/prod/GET /pets/{id}"]
    assert method.limit == 20.0
    assert command(method.usage) == [
        *("aws", "apigateway", "update-stage", "--region", "eu-west-1"),
        *("--rest-api-id", "r1", "--stage-name", "prod", "--patch-operations"),
        "op=replace,path=/~1pets~1{id}/GET/metrics/enabled,value=true",
    ]


@pytest.mark.parametrize("rate", [{}, {"throttlingRateLimit": -1.0}, {"throttlingRateLimit": 0.0}])
async def test_a_throttle_that_is_not_set_is_no_limit(rate: dict[str, Any]) -> None:
    assert await seen_of_rest(stage("prod", **{"*/*": rate, "~1pets/GET": rate})) == {}
    assert await seen_of_rest({"stageName": "prod"}) == {}


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
def test_keys_of_method_settings_are_pointers(key: str, path: str, verb: str) -> None:
    assert path_and_verb(key) == (path, verb)


async def test_apis_of_the_same_name_are_told_apart_by_their_ids() -> None:
    aws = FakeAws(
        get_rest_apis=rest_apis(("r1", "shop"), ("r2", "shop"), ("r3", "it's")),
        get_stages={"item": [stage("prod", **{"*/*": {"throttlingRateLimit": 1.0}})]},
    )
    resources = {resource for _, resource in await aws.seen(rest)}
    assert resources == {"shop (r1)/prod", "shop (r2)/prod", "it's/prod"}


async def test_an_api_and_its_stage_give_their_tags() -> None:
    tagged = stage("prod", **{"*/*": {"throttlingRateLimit": 1.0}}) | {"tags": {"env": "prod", "team": "b"}}
    aws = FakeAws(
        get_rest_apis=rest_apis(("r1", "shop"), tags={"team": "a", "cost": "1"}),
        get_stages={"item": [tagged]},
    )
    assert (await aws.seen(rest))["rest_stage_method_throttle", "shop/prod"].tags == {
        "team": "b",
        "cost": "1",
        "env": "prod",
    }


def test_a_missing_point_is_zero_only_where_the_metric_is_always_on() -> None:
    assert count.zero_when_absent
    assert not detailed_count.zero_when_absent


def only(**wanted: str) -> Callable[..., dict[str, Any] | Exception]:
    """Stages with a throttle of the API asked for, REST or not; any other is denied."""

    def answer(restApiId: str = "", ApiId: str = "") -> dict[str, Any] | Exception:
        if restApiId == wanted["rest"]:
            return {"item": [stage("prod", **{"*/*": {"throttlingRateLimit": 1.0}})]}
        if ApiId == wanted["http"]:
            throttled = {"DefaultRouteSettings": {"ThrottlingRateLimit": 1.0}}
            return {"Items": [{"StageName": "prod", **throttled}]}
        return denied("GetStages")

    return answer


async def test_one_api_or_plan_that_cannot_be_asked_costs_itself_alone() -> None:
    quota = {"quota": {"limit": 10, "period": "DAY"}}
    aws = FakeAws(
        get_account=THROTTLE,
        get_rest_apis=rest_apis(("r1", "shop"), ("r2", "secret")),
        get_apis={"Items": [api("h1", "web"), api("h2", "hidden")]},
        get_stages=only(rest="r1", http="h1"),
        get_usage_plans={
            "items": [{"id": "p1", "name": "gold", **quota}, {"id": "p2", "name": "iron", **quota}]
        },
        get_usage=lambda usagePlanId, **_: (
            denied("GetUsage") if usagePlanId == "p2" else {"items": {"key": [[1, 9]]}}
        ),
    )
    assert set(await aws.all_seen(COLLECTOR)) == {
        ("account_throttle_rate", ACCOUNT),
        ("rest_stage_method_throttle", "shop/prod"),
        ("http_route_throttle", "web/prod"),
        ("usage_plan_quota", "gold/key"),
    }
    assert [(failure.operation, failure.item) for failure in aws.look.failures] == [
        ("GetStages", "secret"),
        ("GetStages", "hidden"),
        ("GetUsage", "iron"),
    ]


async def test_it_asks_for_exactly_the_permissions_and_metrics_it_uses() -> None:
    detailed = {"throttlingRateLimit": 1.0, "metricsEnabled": True}
    plan = {
        "id": "p1",
        "name": "gold",
        "throttle": {"rateLimit": 1.0},
        "quota": {"limit": 10, "period": "DAY"},
    }
    aws = FakeAws(
        get_account=THROTTLE,
        get_rest_apis=rest_apis(("r1", "shop")),
        get_apis={"Items": [api("h1", "web"), api("w1", "chat", "WEBSOCKET")]},
        get_stages=lambda restApiId="", ApiId="": (
            {"item": [stage("prod", **{"~1/GET": detailed})]}
            if restApiId
            else {"Items": [{"StageName": "s", "DefaultRouteSettings": {"ThrottlingRateLimit": 1.0}}]}
        ),
        get_usage_plans={"items": [plan]},
        get_usage={"items": {"key": [[1, 9]]}},
    )
    seen = await aws.all_seen(COLLECTOR)
    assert aws.actions == set(COLLECTOR.actions)
    assert {signal for signal, _ in seen} == set(SIGNALS)
    used = {
        metric.of() for one in seen.values() if isinstance(one.usage, Usage) for metric, _ in one.usage.terms
    }
    assert used == set(COLLECTOR.metrics)
    assert sum(COLLECTOR.rates.values()) <= 10  # both APIs share the control plane's rate
