"""API Gateway: requests to REST, HTTP and WebSocket APIs, compared with the throttles that limit them.

A throttle limits the whole account, a method of a REST API, or a route of an HTTP or WebSocket API. Usage
plans have throttles and quotas of their own.

Limits: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
Metrics: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from collectors.apigateway_methods import (
    EVERY_METHOD,
    Method,
    default_metrics_command,
    default_settings,
    list_active_methods,
    method_metrics_command,
    parse_setting_key,
    route_metrics_command,
    without_own_settings,
)
from collectors.base import (
    ACCOUNT,
    Aws,
    Collector,
    Metric,
    Observed,
    Resource,
    SettingCost,
    Unobservable,
    Usage,
    per_second,
)
from collectors.dimensions import metric_problem
from collectors.readable_items import ReadableItems, UnreadableItemsError
from collectors.response_members import Members, are_texts, is_boolean, is_number, is_text, members_of

PAGE_SIZE = 500  # items: the maximum of the REST API's lists

count = Metric("AWS/ApiGateway", "Count", "Sum", zero_when_absent=True)
messages = Metric("AWS/ApiGateway", "MessageCount", "Sum", zero_when_absent=True)
connections = Metric("AWS/ApiGateway", "ConnectCount", "Sum", zero_when_absent=True)
# Requests of one method or route. Detailed metrics are opt-in: a missing point may mean that they are off.
detailed_count = replace(count, zero_when_absent=False)

# An API, stage, usage plan or settings: the members below, by their names in AWS's responses.
ApiGatewayItem = dict[str, Any]

# The members that are read, of each kind of item. Other members may be secret, such as a stage's variables.
ACCOUNT_THROTTLE: Members = {"throttleSettings": {"rateLimit": is_number}}
REST_API: Members = {"id": is_text, "name": is_text, "tags": are_texts}
HTTP_API: Members = {"ApiId": is_text, "Name": is_text, "ProtocolType": is_text, "Tags": are_texts}
REST_STAGE: Members = {"stageName": is_text, "tags": are_texts}
REST_SETTINGS: Members = {"metricsEnabled": is_boolean, "throttlingRateLimit": is_number}
HTTP_SETTINGS: Members = {
    "DataTraceEnabled": is_boolean,
    "DetailedMetricsEnabled": is_boolean,
    "LoggingLevel": is_text,
    "ThrottlingBurstLimit": is_number,
    "ThrottlingRateLimit": is_number,
}
HTTP_STAGE: Members = {"StageName": is_text, "Tags": are_texts, "DefaultRouteSettings": HTTP_SETTINGS}
USAGE_PLAN: Members = {
    "id": is_text,
    "name": is_text,
    "tags": are_texts,
    "throttle": {"rateLimit": is_number},
    "quota": {"limit": is_number, "period": is_text, "offset": is_number},
}

NO_KEY_METRIC = Unobservable("no CloudWatch metric counts the requests of an API key; access logs tell them")
METHODS_NOT_COUNTED = (
    "the throttle holds for each method, and detailed metrics, which count each, are not enabled"
)
NO_METHOD = Unobservable("the throttle holds for each method, and none had requests in the last three hours")
DETAILED_METRICS_COST = SettingCost(
    "Detailed metrics cost as custom metrics of CloudWatch do, in us-east-1 $0.30 a month each (the first "
    "10,000). How many there are depends on the methods or routes that have requests.",
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/metrics_dimensions_view_in_cloud_watch.html",
    "2026-11-29",
)
NO_ROUTE_METRIC = Unobservable("no CloudWatch metric is documented for a route without method and path")


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of an API.

    with_methods: each named stage with those of its methods or routes that detailed metrics count.
    unnamed_count: the number of stages that AWS lists without a name.
    """

    with_methods: Sequence[tuple[ApiGatewayItem, Sequence[Method]]]
    unnamed_count: int

    @classmethod
    def of(
        cls, stages: Iterable[ApiGatewayItem], name_member: str, methods: Mapping[str, Sequence[Method]]
    ) -> "Stages":
        """Return the stages that have a name.

        name_member: the member that holds a stage's name. methods: those that detailed metrics count, by
        stage name.
        """
        listed = [*stages]
        named = [stage for stage in listed if stage.get(name_member)]
        with_methods = [(stage, methods.get(stage[name_member], ())) for stage in named]
        return cls(with_methods, len(listed) - len(named))


def check_stages(unnamed_count: int, kind: str) -> None:
    """Raise UnreadableItemsError if stages have no name. Scans call it after their last series."""
    if unnamed_count:
        raise UnreadableItemsError(f"{unnamed_count} of the stages of {kind} in AWS's lists cannot be read")


async def account(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of the account: the requests to all of its APIs."""
    all_rest_apis, all_http_apis = list_rest_apis(aws), list_http_apis(aws)
    metrics = [count.of(ApiName=api_name_value(api)) async for api in all_rest_apis.items()]
    async for api in all_http_apis.items():
        metrics += traffic_metrics(api)
    if metrics:
        aws.record_resource()
    if not await aws.is_in_use():
        return
    response = members_of(await aws.try_call("apigateway", "GetAccount"), ACCOUNT_THROTTLE)
    throttle = response.get("throttleSettings", {})
    # A mapping, because REST APIs of the same name share a metric.
    problems = {metric: metric_problem(metric) for metric in metrics}
    valid_metrics = [metric for metric, problem in problems.items() if not problem]
    reasons = [f"the requests to an API are missing: {problem}" for problem in problems.values() if problem]
    reasons += [apis.problem for apis in (all_rest_apis, all_http_apis) if apis.problem]
    yield Observed(
        signal="account_throttle_rate",
        resource=ACCOUNT,
        limit=throttle.get("rateLimit"),
        usage=per_second(*valid_metrics) if valid_metrics else 0.0,
        bounded_because=Unobservable(reasons[0]) if reasons else None,
    )


async def rest_apis(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of the stages of REST APIs."""

    async def stages_of(api: ApiGatewayItem) -> Stages:
        read = partial(get_rest_stages, aws, api)
        return await aws.in_turn(("rest", api["id"]), rest_api_resource(api), read)

    apis, unnamed_count = list_rest_apis(aws), 0
    async for api, stages in aws.map(apis.items(), stages_of, rest_api_resource):
        unnamed_count += stages.unnamed_count
        for stage, methods in stages.with_methods:
            key = api["id"], stage["stageName"]
            make = partial(rest_stage_series, aws.region, api, stage, methods)
            for observed in aws.series(key, (api, stage, methods), make, aws.read_at(("rest", api["id"]))):
                yield observed
    apis.check()
    check_stages(unnamed_count, "REST APIs")


async def http_apis(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of the stages of HTTP and WebSocket APIs."""

    async def stages_of(api: ApiGatewayItem) -> Stages:
        read = partial(list_http_stages, aws, api)
        return await aws.in_turn(("http", api["ApiId"]), http_api_resource(api), read)

    apis, unnamed_count = list_http_apis(aws), 0
    async for api, stages in aws.map(apis.items(), stages_of, http_api_resource):
        unnamed_count += stages.unnamed_count
        for stage, routes in stages.with_methods:
            key = api["ApiId"], stage["StageName"]
            make = partial(http_stage_series, aws.region, api, stage, routes)
            for observed in aws.series(key, (api, stage, routes), make, aws.read_at(("http", api["ApiId"]))):
                yield observed
    apis.check()
    check_stages(unnamed_count, "HTTP and WebSocket APIs")


async def usage_plans(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of usage plans: their throttles, and the quotas of their API keys."""
    items = aws.list_items("apigateway", "GetUsagePlans", "items", limit=PAGE_SIZE)
    all_plans = ReadableItems(items, "usage plans", partial(members_with_id, "id", USAGE_PLAN))
    plans = [plan async for plan in all_plans.items()]
    if plans:
        aws.record_resource()
    for plan in plans:
        if rate := effective_rate(plan.get("throttle", {}).get("rateLimit")):
            yield Observed(
                signal="usage_plan_throttle",
                resource=usage_plan_resource(plan),
                limit=rate,
                usage=NO_KEY_METRIC,
                tags=plan.get("tags", {}),
            )
    plans_with_quota = [plan for plan in plans if plan.get("quota", {}).get("limit")]

    async def requests_of(plan: ApiGatewayItem) -> dict[str, float]:
        read = partial(get_usage_by_key, aws, plan)
        return await aws.in_turn(("usage plan", plan["id"]), usage_plan_resource(plan), read)

    async for plan, requests_by_key in aws.map(plans_with_quota, requests_of, usage_plan_resource):
        for key, requests in requests_by_key.items():
            yield Observed(
                signal="usage_plan_quota",
                resource=usage_plan_resource(plan).child("key", key),
                limit=plan["quota"]["limit"],
                usage=requests,
                tags=plan.get("tags", {}),
            )
    all_plans.check()


def list_rest_apis(aws: Aws) -> ReadableItems:
    """List the REST APIs."""
    listed = aws.list_items("apigateway", "GetRestApis", "items", limit=PAGE_SIZE)
    return ReadableItems(listed, "REST APIs", partial(members_with_id, "id", REST_API))


def list_http_apis(aws: Aws) -> ReadableItems:
    """List the HTTP and WebSocket APIs."""
    listed = aws.list_items("apigatewayv2", "GetApis", "Items")
    return ReadableItems(listed, "HTTP and WebSocket APIs", partial(members_with_id, "ApiId", HTTP_API))


def members_with_id(identity: str, members: Members, item: Any) -> ApiGatewayItem | None:
    """Return the members of a listed API or usage plan that are read; None if it has no id.

    identity: the name of the member with the id. members: those that are read.
    """
    item_members = members_of(item, members)
    return item_members if item_members.get(identity) else None


def stage_with_settings(
    stage: Any, members: Members, settings_member: str, setting_members: Members
) -> ApiGatewayItem:
    """Return the members of a stage that are read, with the settings of its methods or routes.

    members: the members of the stage that are read. settings_member: the name of the member that holds the
    settings, by the key of a method or route. setting_members: the members of these settings that are read.
    """
    settings_by_key = stage.get(settings_member) if isinstance(stage, Mapping) else None
    items = settings_by_key.items() if isinstance(settings_by_key, Mapping) else ()
    readable = {key: members_of(settings, setting_members) for key, settings in items if is_text(key)}
    return {**members_of(stage, members), settings_member: readable}


async def get_rest_stages(aws: Aws, api: ApiGatewayItem) -> Stages:
    """Get the stages of a REST API, each with the methods that detailed metrics count.

    The methods are listed only if a stage has a throttle and detailed metrics for all of its methods.
    """
    listed = (await aws.call("apigateway", "GetStages", restApiId=api["id"])).get("item") or []
    stages = [stage_with_settings(stage, REST_STAGE, "methodSettings", REST_SETTINGS) for stage in listed]
    defaults = map(default_settings, stages)
    is_needed = any(
        settings.get("metricsEnabled") and effective_rate(settings.get("throttlingRateLimit"))
        for settings in defaults
    )
    methods = await list_active_methods(aws, count.of(ApiName=api_name_value(api))) if is_needed else {}
    return Stages.of(stages, "stageName", methods)


async def list_http_stages(aws: Aws, api: ApiGatewayItem) -> Stages:
    """List the stages of an HTTP or WebSocket API, each with the routes that detailed metrics count.

    The routes of an HTTP API are listed only if a stage has a throttle and detailed metrics for all of them.
    """
    listed = aws.list_items("apigatewayv2", "GetStages", "Items", ApiId=api["ApiId"])
    stages = [
        stage_with_settings(stage, HTTP_STAGE, "RouteSettings", HTTP_SETTINGS) async for stage in listed
    ]
    defaults = [stage.get("DefaultRouteSettings", {}) for stage in stages]
    is_counted = any(
        settings.get("DetailedMetricsEnabled") and effective_rate(settings.get("ThrottlingRateLimit"))
        for settings in defaults
    )
    is_needed = is_counted and api.get("ProtocolType") != "WEBSOCKET"
    routes = await list_active_methods(aws, count.of(ApiId=api["ApiId"])) if is_needed else {}
    return Stages.of(stages, "StageName", routes)


async def get_usage_by_key(aws: Aws, plan: ApiGatewayItem) -> dict[str, float]:
    """Get the requests in the current period of a usage plan, by the id of each API key that sent any."""
    today = datetime.fromtimestamp(aws.now, UTC).date()
    start = period_start(plan["quota"].get("period", "DAY"), plan["quota"].get("offset", 0), today)
    params = {"usagePlanId": plan["id"], "startDate": start.isoformat(), "endDate": today.isoformat()}
    requests_by_key: dict[str, float] = {}
    async for page in aws.paginate("apigateway", "GetUsage", limit=PAGE_SIZE, **params):
        for key, days in page.get("items", {}).items():
            requests_by_key[key] = float(sum(day[0] for day in days if day))  # a day is [used, remaining]
    return requests_by_key


def period_start(period: str, offset: int, today: date) -> date:
    """Return the first day of the quota's current DAY, WEEK or MONTH.

    offset: the day on which a WEEK (0: Sunday) or a MONTH (0: the first) starts, as documented for
    CloudFormation's QuotaSettings.
    """
    if period == "WEEK":
        return today - timedelta(days=(today.isoweekday() - offset) % 7)
    if period == "MONTH":
        has_started = today.day > offset  # else the period started in the previous month
        day_in_first_month = today if has_started else today.replace(day=1) - timedelta(days=1)
        return day_in_first_month.replace(day=1 + offset)
    return today


def named_resource(kind: str, identity: str, name: str | None) -> Resource:
    """Return a resource. name: need not be unique; None or empty if the resource has no name."""
    return Resource(kind, (identity,), (name,) if name else ())


def rest_api_resource(api: ApiGatewayItem) -> Resource:
    """The resource of a REST API."""
    return named_resource("api", api["id"], api.get("name"))


def http_api_resource(api: ApiGatewayItem) -> Resource:
    """The resource of an HTTP or WebSocket API."""
    return named_resource("api", api["ApiId"], api.get("Name"))


def usage_plan_resource(plan: ApiGatewayItem) -> Resource:
    """The resource of a usage plan."""
    return named_resource("usage_plan", plan["id"], plan.get("name"))


def api_name_value(api: ApiGatewayItem) -> str:
    """Return the `ApiName` of a REST API in CloudWatch: its name without non-ASCII characters, or its id.

    That a blank name is replaced by the id is inferred, as CloudWatch accepts no blank dimension value.
    """
    name: str = api.get("name", "").encode("ascii", "ignore").decode()
    return name if name.strip() else str(api["id"])


def traffic_metrics(api: ApiGatewayItem, **stage: str) -> tuple[Metric, ...]:
    """Return the metrics that count the requests to an HTTP or WebSocket API, or to its given `Stage`."""
    counted = (messages, connections) if api.get("ProtocolType") == "WEBSOCKET" else (count,)
    return tuple(metric.of(ApiId=api["ApiId"], **stage) for metric in counted)


def effective_rate(rate: float | None) -> float | None:
    """Return a throttle in requests per second; None if absent, unset (-1) or stopping all traffic (0)."""
    return rate if rate is not None and rate > 0 else None


def rest_stage_series(
    region: str, api: ApiGatewayItem, stage: ApiGatewayItem, methods: Sequence[Method]
) -> Iterator[Observed]:
    """Yield the series of a stage of a REST API. methods: those that detailed metrics count."""
    parent = rest_api_resource(api).child("stage", stage["stageName"])
    tags = {**api.get("tags", {}), **stage.get("tags", {})}
    dimensions = {"ApiName": api_name_value(api), "Stage": stage["stageName"]}
    make_series = partial(Observed, signal="rest_stage_method_throttle", tags=tags)
    with_own_settings = set[Method]()
    for key, settings in stage.get("methodSettings", {}).items():
        method = parse_setting_key(key)
        if method != EVERY_METHOD and (rate := effective_rate(settings.get("throttlingRateLimit"))):
            with_own_settings.add(method)
            usage = method_usage(region, api["id"], dimensions, method, settings)
            yield make_series(resource=parent.child("method", method_name(method)), limit=rate, usage=usage)
    default = default_settings(stage)
    if rate := effective_rate(default.get("throttlingRateLimit")):
        for path, verb in without_own_settings(methods, with_own_settings):
            usage = counted_usage(dimensions, (path, verb))
            yield make_series(
                resource=parent.child("method", method_name((path, verb))), limit=rate, usage=usage
            )
        if not methods:
            enable = method_metrics_command(region, api["id"], dimensions["Stage"], EVERY_METHOD)
            not_enabled = Unobservable(METHODS_NOT_COUNTED, enable, DETAILED_METRICS_COST)
            reason = NO_METHOD if default.get("metricsEnabled") else not_enabled
            stage_requests = per_second(count.of(**dimensions))
            yield make_series(resource=parent, limit=rate, **uncounted_usage(stage_requests, reason))


def uncounted_usage(stage_requests: Usage, reason: Unobservable) -> dict[str, Any]:
    """Return the fields of `Observed` with the usage of methods or routes that no metric counts.

    stage_requests: the requests to their stage, which are the upper bound for each of them.
    """
    return {"usage": stage_requests.scaled(0), "upper_bound": stage_requests, "bounded_because": reason}


def method_name(method: Method) -> str:
    """Return the name of a method or route, such as `GET /pets`."""
    path, verb = method
    return f"{verb} {path}"


def counted_usage(dimensions: Mapping[str, str], method: Method) -> Usage:
    """Return the usage of a method or route: the requests that detailed metrics count."""
    path, verb = method
    return per_second(detailed_count.of(**dimensions, Resource=path, Method=verb))


def method_usage(
    region: str, api: str, dimensions: Mapping[str, str], method: Method, settings: ApiGatewayItem
) -> Usage | Unobservable:
    """Return the usage of a method that has its own settings."""
    if not settings.get("metricsEnabled"):
        enable = method_metrics_command(region, api, dimensions["Stage"], method)
        return Unobservable("detailed metrics of the method are not enabled", enable, DETAILED_METRICS_COST)
    return counted_usage(dimensions, method)


def http_stage_series(
    region: str, api: ApiGatewayItem, stage: ApiGatewayItem, routes: Sequence[Method]
) -> Iterator[Observed]:
    """Yield the series of a stage of an HTTP or WebSocket API. routes: those that detailed metrics count."""
    parent = http_api_resource(api).child("stage", stage["StageName"])
    tags = {**api.get("Tags", {}), **stage.get("Tags", {})}
    dimensions = {"ApiId": api["ApiId"], "Stage": stage["StageName"]}
    make_series = partial(Observed, signal="http_route_throttle", tags=tags)
    with_own_settings = set[Method]()
    for route, settings in stage.get("RouteSettings", {}).items():
        if rate := effective_rate(settings.get("ThrottlingRateLimit")):
            verb, _, path = route.partition(" ")
            with_own_settings.add((path, verb))
            usage = route_usage(region, dimensions["ApiId"], dimensions["Stage"], route, settings)
            yield make_series(resource=parent.child("route", route), limit=rate, usage=usage)
    default = stage.get("DefaultRouteSettings", {})
    if rate := effective_rate(default.get("ThrottlingRateLimit")):
        for path, verb in without_own_settings(routes, with_own_settings):
            usage = counted_usage(dimensions, (path, verb))
            yield make_series(
                resource=parent.child("route", method_name((path, verb))), limit=rate, usage=usage
            )
        if not routes:
            reason = uncounted_reason(region, api, dimensions["Stage"], default)
            stage_requests = per_second(*traffic_metrics(api, Stage=dimensions["Stage"]))
            yield make_series(resource=parent, limit=rate, **uncounted_usage(stage_requests, reason))


def uncounted_reason(region: str, api: ApiGatewayItem, stage: str, default: ApiGatewayItem) -> Unobservable:
    """Return the reason why no metric counts the requests to each route of a stage.

    default: the default settings of the stage's routes.
    """
    if api.get("ProtocolType") == "WEBSOCKET":
        return NO_ROUTE_METRIC
    if default.get("DetailedMetricsEnabled"):
        return NO_METHOD
    return Unobservable(
        METHODS_NOT_COUNTED,
        default_metrics_command(region, api["ApiId"], stage, default),
        DETAILED_METRICS_COST,
    )


def route_usage(
    region: str, api: str, stage: str, route: str, settings: ApiGatewayItem
) -> Usage | Unobservable:
    """Return the usage of a route that has its own settings."""
    verb, _, path = route.partition(" ")
    if not path:  # `$default`, and every route of a WebSocket API
        return NO_ROUTE_METRIC
    if not settings.get("DetailedMetricsEnabled"):
        enable = route_metrics_command(region, api, stage, route, settings)
        return Unobservable("detailed metrics of the route are not enabled", enable, DETAILED_METRICS_COST)
    return counted_usage({"ApiId": api, "Stage": stage}, (path, verb))


COLLECTOR = Collector(
    service="apigateway",
    scans=(account, rest_apis, http_apis, usage_plans),
    metrics=(count, messages, connections, detailed_count),
    iam_actions=("apigateway:GET", "cloudwatch:ListMetrics"),
    # All control-plane calls of an account, to both APIs together, share a limit of 10 per second.
    call_rates={"apigateway": 4, "apigatewayv2": 4},
)
