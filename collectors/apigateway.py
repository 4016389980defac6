"""API Gateway: requests to REST, HTTP and WebSocket APIs against the account's and their own throttles.

Limits: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
Metrics: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

import json
import shlex
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from collectors.base import ACCOUNT, Aws, Collector, Metric, Observed, Unobservable, Usage, per_second

PAGE = 500  # the most that one page of the REST API's lists may hold
EVERY_METHOD = "/*", "*"  # path and verb of the settings of a whole stage

count = Metric("AWS/ApiGateway", "Count", "Sum", zero_when_absent=True)
messages = Metric("AWS/ApiGateway", "MessageCount", "Sum", zero_when_absent=True)
connections = Metric("AWS/ApiGateway", "ConnectCount", "Sum", zero_when_absent=True)
# Of one method or route: opt-in, so that a missing point may also mean that it was switched off.
detailed_count = replace(count, zero_when_absent=False)

Item = dict[str, Any]  # an API, a stage, a plan, settings: as AWS describes it

NO_KEY_METRIC = Unobservable("no CloudWatch metric counts the requests of an API key; access logs can")
NO_ROUTE_METRIC = Unobservable("no CloudWatch metric is documented for a route without method and path")


async def account(aws: Aws) -> AsyncIterator[Observed]:
    throttle = (await aws.attempt("apigateway", "GetAccount")).get("throttleSettings", {})
    counts = [count.of(ApiName=metric_name(api)) async for api in rest_apis(aws)]
    async for api in http_apis(aws):
        counts += traffic(api)
    once = dict.fromkeys(counts)  # REST APIs of the same name share a metric
    yield Observed(
        signal="account_throttle_rate",
        resource=ACCOUNT,
        limit=throttle.get("rateLimit"),
        usage=per_second(*once) if once else 0.0,
    )


async def rest(aws: Aws) -> AsyncIterator[Observed]:
    apis = [api async for api in rest_apis(aws)]
    names = distinct([(api["id"], api.get("name")) for api in apis])
    async for api, stages in aws.each(apis, partial(rest_stages, aws), lambda api: names[api["id"]]):
        for stage in stages:
            for observed in of_rest_stage(aws.region, api, names[api["id"]], stage):
                yield observed


async def http(aws: Aws) -> AsyncIterator[Observed]:
    apis = [api async for api in http_apis(aws)]
    names = distinct([(api["ApiId"], api.get("Name")) for api in apis])
    async for api, stages in aws.each(apis, partial(http_stages, aws), lambda api: names[api["ApiId"]]):
        for stage in stages:
            for observed in of_http_stage(aws.region, api, names[api["ApiId"]], stage):
                yield observed


async def usage_plans(aws: Aws) -> AsyncIterator[Observed]:
    plans = [plan async for plan in aws.pages("apigateway", "GetUsagePlans", "items", limit=PAGE)]
    names = distinct([(plan["id"], plan.get("name")) for plan in plans])
    for plan in plans:
        if rate := set_rate(plan.get("throttle", {}).get("rateLimit")):
            yield Observed(
                signal="usage_plan_throttle",
                resource=names[plan["id"]],
                limit=rate,
                usage=NO_KEY_METRIC,
                tags=plan.get("tags", {}),
            )
    limited = [plan for plan in plans if plan.get("quota", {}).get("limit")]
    async for plan, used in aws.each(limited, partial(used_by_key, aws), lambda plan: names[plan["id"]]):
        for key, requests in used.items():
            yield Observed(
                signal="usage_plan_quota",
                resource=f"{names[plan['id']]}/{key}",
                limit=plan["quota"]["limit"],
                usage=requests,
                tags=plan.get("tags", {}),
            )


def rest_apis(aws: Aws) -> AsyncIterator[Item]:
    return aws.pages("apigateway", "GetRestApis", "items", limit=PAGE)


def http_apis(aws: Aws) -> AsyncIterator[Item]:
    """The HTTP and WebSocket APIs."""
    return aws.pages("apigatewayv2", "GetApis", "Items")


async def rest_stages(aws: Aws, api: Item) -> list[Item]:
    stages: list[Item] = (await aws.call("apigateway", "GetStages", restApiId=api["id"])).get("item", [])
    return stages


async def http_stages(aws: Aws, api: Item) -> list[Item]:
    return [stage async for stage in aws.pages("apigatewayv2", "GetStages", "Items", ApiId=api["ApiId"])]


async def used_by_key(aws: Aws, plan: Item) -> dict[str, float]:
    """Requests in the current period of a plan, by the id of each API key that sent any."""
    today = datetime.now(UTC).date()
    start = period_start(plan["quota"].get("period", "DAY"), plan["quota"].get("offset", 0), today)
    ask = {"usagePlanId": plan["id"], "startDate": start.isoformat(), "endDate": today.isoformat()}
    used: dict[str, float] = {}
    while True:
        answer = await aws.call("apigateway", "GetUsage", limit=PAGE, **ask)
        for key, days in answer.get("items", {}).items():
            used[key] = float(sum(day[0] for day in days if day))  # a day is [used, remaining]
        if answer.get("position") in (None, ask.get("position")):
            return used
        ask["position"] = answer["position"]


def period_start(period: str, offset: int, today: date) -> date:
    """The day on which the quota's current DAY, WEEK or MONTH began.

    `offset` is a day: 0 is a week's Sunday or a month's first (as CloudFormation describes a QuotaSettings).
    """
    if period == "WEEK":
        return today - timedelta(days=(today.isoweekday() - offset) % 7)
    if period == "MONTH":
        month = today if today.day > offset else today.replace(day=1) - timedelta(days=1)
        return month.replace(day=1 + offset)
    return today


def distinct(named: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """What to call each (id, name): by its name, with the id where another has the same, or no name."""
    shared = Counter(name for _, name in named)
    return {
        identity: name if name and shared[name] == 1 else f"{name} ({identity})" if name else identity
        for identity, name in named
    }


def metric_name(api: Item) -> str:
    """A REST API's name as CloudWatch has it: without what is not ASCII; the id, when nothing is left."""
    return api.get("name", "").encode("ascii", "ignore").decode() or str(api["id"])


def traffic(api: Item, **stage: str) -> tuple[Metric, ...]:
    """The metrics that count what an HTTP or WebSocket API, or a stage of it, is sent."""
    counted = (messages, connections) if api.get("ProtocolType") == "WEBSOCKET" else (count,)
    return tuple(metric.of(ApiId=api["ApiId"], **stage) for metric in counted)


def set_rate(rate: float | None) -> float | None:
    """A throttle in requests per second; None when it is not set (absent or -1), or stops all traffic (0)."""
    return rate if rate is not None and rate > 0 else None


def of_rest_stage(region: str, api: Item, name: str, stage: Item) -> Iterator[Observed]:
    parent = f"{name}/{stage['stageName']}"
    for key, settings in stage.get("methodSettings", {}).items():
        if rate := set_rate(settings.get("throttlingRateLimit")):
            method = path_and_verb(key)
            yield Observed(
                signal="rest_stage_method_throttle",
                resource=parent if method == EVERY_METHOD else f"{parent}/{method[1]} {method[0]}",
                limit=rate,
                usage=of_method(region, api, stage["stageName"], method, settings),
                tags={**api.get("tags", {}), **stage.get("tags", {})},
            )


def of_method(
    region: str, api: Item, stage: str, method: tuple[str, str], settings: Item
) -> Usage | Unobservable:
    where = {"ApiName": metric_name(api), "Stage": stage}
    if method == EVERY_METHOD:
        return per_second(count.of(**where))
    path, verb = method
    if not settings.get("metricsEnabled"):
        enable = metrics_of_method(region, api["id"], stage, path, verb)
        return Unobservable("detailed metrics of the method are not enabled", enable)
    return per_second(detailed_count.of(**where, Resource=path, Method=verb))


def of_http_stage(region: str, api: Item, name: str, stage: Item) -> Iterator[Observed]:
    signal, parent = "http_route_throttle", f"{name}/{stage['StageName']}"
    tags = {**api.get("Tags", {}), **stage.get("Tags", {})}
    if rate := set_rate(stage.get("DefaultRouteSettings", {}).get("ThrottlingRateLimit")):
        usage = per_second(*traffic(api, Stage=stage["StageName"]))
        yield Observed(signal=signal, resource=parent, limit=rate, usage=usage, tags=tags)
    for route, settings in stage.get("RouteSettings", {}).items():
        if rate := set_rate(settings.get("ThrottlingRateLimit")):
            yield Observed(
                signal=signal,
                resource=f"{parent}/{route}",
                limit=rate,
                usage=of_route(region, api["ApiId"], stage["StageName"], route, settings),
                tags=tags,
            )


def of_route(region: str, api: str, stage: str, route: str, settings: Item) -> Usage | Unobservable:
    verb, _, path = route.partition(" ")
    if not path:  # `$default`, and every route of a WebSocket API
        return NO_ROUTE_METRIC
    if not settings.get("DetailedMetricsEnabled"):
        enable = metrics_of_route(region, api, stage, route, settings)
        return Unobservable("detailed metrics of the route are not enabled", enable)
    return per_second(detailed_count.of(ApiId=api, Stage=stage, Method=verb, Resource=path))


def path_and_verb(key: str) -> tuple[str, str]:
    """What a key of a stage's method settings, such as `~1pets~1{id}/GET`, is about."""
    path, _, verb = key.rpartition("/")
    return "/" + path.replace("~1", "/").replace("~0", "~").lstrip("/"), verb


def metrics_of_method(region: str, api: str, stage: str, path: str, verb: str) -> str:
    """The command that enables detailed metrics of a method; CloudWatch charges for them."""
    pointer = path.replace("~", "~0").replace("/", "~1")
    patch = f"op=replace,path=/{pointer}/{verb}/metrics/enabled,value=true"
    update = ["aws", "apigateway", "update-stage", "--region", region]
    return shlex.join([*update, "--rest-api-id", api, "--stage-name", stage, "--patch-operations", patch])


def metrics_of_route(region: str, api: str, stage: str, route: str, settings: Item) -> str:
    """The command that enables detailed metrics of a route and keeps its other settings."""
    wanted = json.dumps({route: {**settings, "DetailedMetricsEnabled": True}}, ensure_ascii=False)
    update = ["aws", "apigatewayv2", "update-stage", "--region", region]
    return shlex.join([*update, "--api-id", api, "--stage-name", stage, "--route-settings", wanted])


COLLECTOR = Collector(
    service="apigateway",
    parts=(account, rest, http, usage_plans),
    metrics=(count, messages, connections, detailed_count),
    actions=("apigateway:GET",),
    # All control-plane calls of an account share 10 per second, those of both APIs together.
    rates={"apigateway": 4, "apigatewayv2": 4},
)
