"""API Gateway's REST APIs: moto keeps them, the account's throttle and the use of a plan are ours."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from monitor.demo.metric import EVENTS, Emitted
from monitor.demo.region import AwsError, Params, Region, Service
from monitor.demo.services.quotas import quota
from monitor.demo.traffic import Floats, Minutes, Traffic

CLIENT_ERRORS = 0.01  # of all requests, before any is throttled
DAY = 24 * 3600
PERIOD_DAYS = {"DAY": 1, "WEEK": 7, "MONTH": 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method with its own throttle; `traffic` is a share of it."""

    path: str
    verb: str
    per_second: float
    traffic: Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage; `traffic`, that of its methods not included, is a share of `per_second`."""

    name: str
    per_second: float
    traffic: Traffic
    throttled: bool = False  # `per_second` is configured as the stage's throttle
    methods: tuple[Method, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestApi:
    name: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePlan:
    """A plan for the stage of an API, and the share of the quota that each of its keys uses."""

    name: str
    api: str
    stage: str
    per_second: float
    quota: int
    period: str  # DAY, WEEK or MONTH
    keys: Mapping[str, float]


def demand(traffic: Traffic, name: str, per_second: float, minutes: Minutes) -> Floats:
    """Requests in each minute, throttled ones included: Count counts them all."""
    return traffic.at(name, minutes) * per_second * 60


def errors(requests: Floats, limit: float) -> Floats:
    """4xx in each minute: 429s are among them."""
    return CLIENT_ERRORS * requests + np.maximum(requests - limit * 60, 0)


def of_method(api: RestApi, stage: Stage, method: Method, minutes: Minutes) -> Floats:
    name = f"{api.name}/{stage.name}/{method.verb} {method.path}"
    return demand(method.traffic, name, method.per_second, minutes)


def of_stage(api: RestApi, stage: Stage, minutes: Minutes) -> tuple[Floats, Floats]:
    """Requests and 4xx of a stage, its methods included."""
    requests = demand(stage.traffic, f"{api.name}/{stage.name}", stage.per_second, minutes)
    failed = errors(requests, stage.per_second if stage.throttled else np.inf)
    for method in stage.methods:
        more = of_method(api, stage, method, minutes)
        requests, failed = requests + more, failed + errors(more, method.per_second)
    return requests, failed


def emitted(region: Region) -> Iterator[Emitted]:
    for api in region.all(RestApi):
        yield from counts({"ApiName": api.name}, api, api.stages)
        for stage in api.stages:
            where = {"ApiName": api.name, "Stage": stage.name}
            yield from counts(where, api, (stage,))
            for method in stage.methods:
                yield from method_counts(where, api, stage, method)


def counts(where: dict[str, str], api: RestApi, stages: tuple[Stage, ...]) -> Iterator[Emitted]:
    def total(which: int) -> Any:
        return lambda m: np.sum([of_stage(api, stage, m)[which] for stage in stages], axis=0)

    yield Emitted("AWS/ApiGateway", "Count", where, EVENTS, total(0))
    yield Emitted("AWS/ApiGateway", "4XXError", where, EVENTS, total(1))


def method_counts(where: dict[str, str], api: RestApi, stage: Stage, method: Method) -> Iterator[Emitted]:
    exact = where | {"Resource": method.path, "Method": method.verb}

    def requests(minutes: Minutes) -> Floats:
        return of_method(api, stage, method, minutes)

    yield Emitted("AWS/ApiGateway", "Count", exact, EVENTS, requests)
    yield Emitted(
        "AWS/ApiGateway", "4XXError", exact, EVENTS, lambda m: errors(requests(m), method.per_second)
    )


def seed(region: Region, client: Any) -> None:
    for api in region.all(RestApi):
        region.ids[api.name] = made = client.create_rest_api(name=api.name)["id"]
        root = client.get_resources(restApiId=made)["items"][0]["id"]
        child = {"restApiId": made, "resourceId": root, "httpMethod": "GET"}
        client.put_method(**child, authorizationType="NONE")
        client.put_integration(**child, type="MOCK", integrationHttpMethod="GET")
        deployment = client.create_deployment(restApiId=made)["id"]
        for stage in api.stages:
            client.create_stage(restApiId=made, stageName=stage.name, deploymentId=deployment)
            if settings := throttles(stage):
                client.update_stage(restApiId=made, stageName=stage.name, patchOperations=settings)
    for plan in region.all(UsagePlan):
        seed_plan(region, client, plan)


def throttles(stage: Stage) -> list[dict[str, str]]:
    """The patches that set a stage's throttles; a method's path is written with ~1 for each slash."""
    limits = {"/*/*": stage.per_second} if stage.throttled else {}
    limits |= {f"/{m.path.replace('/', '~1')}/{m.verb}": m.per_second for m in stage.methods}
    patches = {
        f"{key}/throttling/{name}": f"{factor * limit:g}"
        for key, limit in limits.items()
        for name, factor in (("rateLimit", 1), ("burstLimit", 2))
    }
    patches |= {f"{key}/metrics/enabled": "true" for key in limits if key != "/*/*"}
    return [{"op": "replace", "path": path, "value": value} for path, value in patches.items()]


def seed_plan(region: Region, client: Any, plan: UsagePlan) -> None:
    made = client.create_usage_plan(
        name=plan.name,
        apiStages=[{"apiId": region.ids[plan.api], "stage": plan.stage}],
        throttle={"rateLimit": plan.per_second, "burstLimit": int(2 * plan.per_second)},
        quota={"limit": plan.quota, "offset": 0, "period": plan.period},
    )
    region.ids[plan.name] = made["id"]
    for name in plan.keys:
        key = client.create_api_key(name=name, enabled=True)["id"]
        client.create_usage_plan_key(usagePlanId=made["id"], keyId=key, keyType="API_KEY")
        region.ids[f"{plan.name}/{name}"] = key


def get_account(region: Region, _: Params, __: float) -> Mapping[str, Any]:
    rate, burst = quota(region, "L-8A5B8E43"), int(quota(region, "L-CDF5615A"))
    return {"throttleSettings": {"rateLimit": rate, "burstLimit": burst}, "features": ["UsagePlans"]}


def get_usage(region: Region, params: Params, now: float) -> Mapping[str, Any]:
    """Used and remaining of each day asked for; the whole quota remains at the start of each period."""
    for plan in region.all(UsagePlan):
        if region.ids[plan.name] == params["usagePlanId"]:
            first, last = (date.fromisoformat(params[side]) for side in ("startDate", "endDate"))
            days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
            use = {
                region.ids[f"{plan.name}/{key}"]: [used_and_remaining(plan, share, day, now) for day in days]
                for key, share in plan.keys.items()
            }
            return {**params, "items": use}
    raise AwsError("NotFoundException", "Invalid Usage Plan ID specified")


def used_and_remaining(plan: UsagePlan, share: float, day: date, now: float) -> list[int]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    passed = min(max((now - midnight) / DAY, 0.0), 1.0)
    length = PERIOD_DAYS[plan.period]
    a_day = plan.quota * share / length
    before = {"DAY": 0, "WEEK": day.weekday(), "MONTH": day.day - 1}[plan.period]
    return [int(passed * a_day), int(plan.quota - (before + passed) * a_day)]


SERVICE = Service(
    name="apigateway",
    emitted=emitted,
    seed=seed,
    answers={"GetAccount": get_account, "GetUsage": get_usage},
)
