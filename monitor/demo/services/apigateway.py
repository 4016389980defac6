"""REST APIs of API Gateway: moto stores them; the account's throttle and the usage of plans are simulated."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np

from monitor.demo.metric import EVENTS, DemoMetric
from monitor.demo.region import AwsResponseError, DemoRegion, DemoService, RequestParams
from monitor.demo.services.quotas import quota_value
from monitor.demo.traffic import Minutes, Traffic
from rules.arrays import Float64s

CLIENT_ERROR_SHARE = 0.01  # the share of requests that fail with a 4xx status other than 429
SECONDS_PER_DAY = 24 * 3600
ALL_METHODS = "/*/*"  # the path of the settings that a stage has for every method
# The length of the period of a quota, in days.
PERIOD_DAYS = {"DAY": 1, "WEEK": 7, "MONTH": 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMethod:
    """A method with its own throttle; `traffic` is a share of it. function: the invoked function, if any."""

    path: str
    verb: str
    per_second: float
    traffic: Traffic
    function: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStage:
    """A stage. methods: the methods with a throttle of their own.

    traffic: the requests to all other methods, as a share of `per_second`. shares: the share of `traffic`
    that some of these other methods have, by verb and path. If given, detailed metrics are enabled.
    """

    name: str
    per_second: float
    traffic: Traffic
    has_throttle: bool = False  # `per_second` is configured as the stage's throttle
    methods: tuple[DemoMethod, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRestApi:
    """A REST API and its stages."""

    name: str
    stages: tuple[DemoStage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoUsagePlan:
    """A usage plan for a stage of an API. keys: the share of the quota that each API key uses."""

    name: str
    api: str
    stage: str
    per_second: float
    quota: int
    period: str  # DAY, WEEK or MONTH
    keys: Mapping[str, float]


def requests_per_minute(traffic: Traffic, name: str, per_second: float, minutes: Minutes) -> Float64s:
    """Return the requests in each minute of a traffic that is a share of `per_second`.

    Like the metric Count, they include throttled requests.
    """
    return traffic.demand(name, minutes) * per_second * 60


def client_errors(requests: Float64s, limit: float) -> Float64s:
    """Return the 4xx responses in each minute, which include the 429s of throttling.

    requests: in each minute. limit: requests per second.
    """
    return CLIENT_ERROR_SHARE * requests + np.maximum(requests - limit * 60, 0)


def method_requests(api: DemoRestApi, stage: DemoStage, method: DemoMethod, minutes: Minutes) -> Float64s:
    """Return the requests in each minute to a method with its own throttle."""
    name = f"{api.name}/{stage.name}/{method.verb} {method.path}"
    return requests_per_minute(method.traffic, name, method.per_second, minutes)


def share_of_stage_requests(api: DemoRestApi, stage: DemoStage, share: float, minutes: Minutes) -> Float64s:
    """Return the requests in each minute to a method without its own throttle: a share of the stage's."""
    return share * requests_per_minute(stage.traffic, f"{api.name}/{stage.name}", stage.per_second, minutes)


def stage_requests_and_errors(
    api: DemoRestApi, stage: DemoStage, minutes: Minutes
) -> tuple[Float64s, Float64s]:
    """Return the requests and the 4xx responses in each minute of all methods of a stage."""
    requests = requests_per_minute(stage.traffic, f"{api.name}/{stage.name}", stage.per_second, minutes)
    errors = client_errors(requests, stage.per_second if stage.has_throttle else np.inf)
    for method in stage.methods:
        to_method = method_requests(api, stage, method, minutes)
        requests, errors = requests + to_method, errors + client_errors(to_method, method.per_second)
    return requests, errors


def metrics(region: DemoRegion) -> Iterator[DemoMetric]:
    """Yield the metrics of all REST APIs."""
    for api in region.resources_of(DemoRestApi):
        yield from count_metrics({"ApiName": api.name}, api, api.stages)
        for stage in api.stages:
            dimensions = {"ApiName": api.name, "Stage": stage.name}
            yield from count_metrics(dimensions, api, (stage,))
            for method in stage.methods:
                yield from method_metrics(dimensions, api, stage, method)
            for name, share in stage.shares.items():
                verb, _, path = name.partition(" ")
                method_dimensions = dimensions | {"Resource": path, "Method": verb}
                yield DemoMetric(
                    "AWS/ApiGateway",
                    "Count",
                    method_dimensions,
                    EVENTS,
                    partial(share_of_stage_requests, api, stage, share),
                )


def count_metrics(
    dimensions: dict[str, str], api: DemoRestApi, stages: tuple[DemoStage, ...]
) -> Iterator[DemoMetric]:
    """Yield the metrics of some stages together."""

    def requests(minutes: Minutes) -> Float64s:
        by_stage = [stage_requests_and_errors(api, stage, minutes)[0] for stage in stages]
        return sum(by_stage, np.zeros(len(minutes)))

    def errors(minutes: Minutes) -> Float64s:
        by_stage = [stage_requests_and_errors(api, stage, minutes)[1] for stage in stages]
        return sum(by_stage, np.zeros(len(minutes)))

    yield DemoMetric("AWS/ApiGateway", "Count", dimensions, EVENTS, requests)
    yield DemoMetric("AWS/ApiGateway", "4XXError", dimensions, EVENTS, errors)


def method_metrics(
    dimensions: dict[str, str], api: DemoRestApi, stage: DemoStage, method: DemoMethod
) -> Iterator[DemoMetric]:
    """Yield the metrics of a method with its own throttle."""
    method_dimensions = dimensions | {"Resource": method.path, "Method": method.verb}

    def requests(minutes: Minutes) -> Float64s:
        return method_requests(api, stage, method, minutes)

    yield DemoMetric("AWS/ApiGateway", "Count", method_dimensions, EVENTS, requests)
    yield DemoMetric(
        "AWS/ApiGateway",
        "4XXError",
        method_dimensions,
        EVENTS,
        lambda minutes: client_errors(requests(minutes), method.per_second),
    )


def seed(region: DemoRegion, client: Any) -> None:
    """Create the APIs and usage plans in moto."""
    for api in region.resources_of(DemoRestApi):
        region.ids[api.name] = api_id = client.create_rest_api(name=api.name)["id"]
        root_id = client.get_resources(restApiId=api_id)["items"][0]["id"]
        root_method = {"restApiId": api_id, "resourceId": root_id, "httpMethod": "GET"}
        client.put_method(**root_method, authorizationType="NONE")
        client.put_integration(**root_method, type="MOCK", integrationHttpMethod="GET")
        methods = [method for stage in api.stages for method in stage.methods]
        for method in filter(lambda method: method.function, methods):
            seed_method(region, client, (api_id, root_id), method)
        deployment = client.create_deployment(restApiId=api_id)["id"]
        for stage in api.stages:
            client.create_stage(restApiId=api_id, stageName=stage.name, deploymentId=deployment)
            if settings := throttle_patches(stage):
                client.update_stage(restApiId=api_id, stageName=stage.name, patchOperations=settings)
    for plan in region.resources_of(DemoUsagePlan):
        seed_plan(region, client, plan)


def seed_method(region: DemoRegion, client: Any, parent: tuple[str, str], method: DemoMethod) -> None:
    """Create a method that invokes a function. parent: the ids of the API and of its root."""
    api_id, root_id = parent
    path_part = method.path.strip("/")
    resource = client.create_resource(restApiId=api_id, parentId=root_id, pathPart=path_part)["id"]
    method_ids = {"restApiId": api_id, "resourceId": resource, "httpMethod": method.verb}
    client.put_method(**method_ids, authorizationType="NONE")
    function = region.arn("lambda", f"function:{method.function}")
    invocation_uri = (
        f"arn:aws:apigateway:{region.name}:lambda:path/2015-03-31/functions/{function}/invocations"
    )
    client.put_integration(**method_ids, type="AWS_PROXY", integrationHttpMethod="POST", uri=invocation_uri)


def throttle_patches(stage: DemoStage) -> list[dict[str, str]]:
    """Return the patches that set the throttles of a stage; ~1 stands for a slash in the path of a method."""
    limits = {ALL_METHODS: stage.per_second} if stage.has_throttle else {}
    limits |= {
        f"/{method.path.replace('/', '~1')}/{method.verb}": method.per_second for method in stage.methods
    }
    patches = {
        f"{key}/throttling/{name}": f"{factor * limit:g}"
        for key, limit in limits.items()
        for name, factor in (("rateLimit", 1), ("burstLimit", 2))
    }
    patches |= {f"{key}/metrics/enabled": "true" for key in limits if stage.shares or key != ALL_METHODS}
    return [{"op": "replace", "path": path, "value": value} for path, value in patches.items()]


def seed_plan(region: DemoRegion, client: Any, plan: DemoUsagePlan) -> None:
    """Create a usage plan and its API keys in moto."""
    plan_id = client.create_usage_plan(
        name=plan.name,
        apiStages=[{"apiId": region.ids[plan.api], "stage": plan.stage}],
        throttle={"rateLimit": plan.per_second, "burstLimit": int(2 * plan.per_second)},
        quota={"limit": plan.quota, "offset": 0, "period": plan.period},
    )["id"]
    region.ids[plan.name] = plan_id
    for name in plan.keys:
        key = client.create_api_key(name=name, enabled=True)["id"]
        client.create_usage_plan_key(usagePlanId=plan_id, keyId=key, keyType="API_KEY")
        region.ids[f"{plan.name}/{name}"] = key


def get_account(region: DemoRegion, _: RequestParams, __: float) -> Mapping[str, Any]:
    """Answer GetAccount with the throttle of the account."""
    rate, burst = quota_value(region, "L-8A5B8E43"), int(quota_value(region, "L-CDF5615A"))
    return {"throttleSettings": {"rateLimit": rate, "burstLimit": burst}, "features": ["UsagePlans"]}


def get_usage(region: DemoRegion, params: RequestParams, now: float) -> Mapping[str, Any]:
    """Answer GetUsage with the used and the remaining quota of each requested day."""
    for plan in region.resources_of(DemoUsagePlan):
        if region.ids[plan.name] == params["usagePlanId"]:
            first, last = (date.fromisoformat(params[side]) for side in ("startDate", "endDate"))
            days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
            usage_by_key = {
                region.ids[f"{plan.name}/{key}"]: [used_and_remaining(plan, share, day, now) for day in days]
                for key, share in plan.keys.items()
            }
            return {**params, "items": usage_by_key}
    raise AwsResponseError("NotFoundException", "Invalid Usage Plan ID specified")


def used_and_remaining(plan: DemoUsagePlan, share: float, day: date, now: float) -> list[int]:
    """Return the requests used on a day, and the quota that remains at its end, or now if it is today."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    elapsed_share = min(max((now - midnight) / SECONDS_PER_DAY, 0.0), 1.0)
    used_per_day = plan.quota * share / PERIOD_DAYS[plan.period]
    earlier_days = {"DAY": 0, "WEEK": day.weekday(), "MONTH": day.day - 1}[plan.period]
    used_in_period = (earlier_days + elapsed_share) * used_per_day
    return [int(elapsed_share * used_per_day), int(plan.quota - used_in_period)]


SERVICE = DemoService(
    name="apigateway",
    metrics=metrics,
    seed=seed,
    operations={"GetAccount": get_account, "GetUsage": get_usage},
)
