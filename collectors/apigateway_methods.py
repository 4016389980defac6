"""Methods and routes of API Gateway's stages: their settings, and the methods that detailed metrics count.

The throttle of a stage applies to each of its methods (of an HTTP API: routes). Only detailed metrics count
the requests to each method. The methods are listed from CloudWatch, because a deployed stage may differ from
its API.

API: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
"""

import json
import shlex
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from collectors.base import Aws, Metric
from collectors.dimensions import value_problem
from collectors.listed_metrics import RECENTLY_ACTIVE
from collectors.response_members import is_list, is_text, members_of

DIMENSIONS = "Stage", "Resource", "Method"

Method = tuple[str, str]  # path and verb
Settings = Mapping[str, Any]  # of a method or route, as in AWS's responses

EVERY_METHOD: Method = "/*", "*"  # in place of a method, where settings apply to a whole stage


async def list_active_methods(aws: Aws, metric: Metric) -> Mapping[str, Sequence[Method]]:
    """List the methods of an API that had requests in the last three hours, by the name of their stage.

    metric: the metric of requests, whose only dimension is the API. If the API's name is not a valid
    dimension value, the result is empty.
    """
    ((name, value),) = metric.dimensions
    if value_problem(value):
        return {}
    methods_by_stage = defaultdict[str, list[Method]](list)
    filters = [{"Name": name, "Value": value}, *({"Name": dimension} for dimension in DIMENSIONS)]
    async for listed_metric in aws.list_items(
        "cloudwatch",
        "ListMetrics",
        "Metrics",
        Namespace=metric.namespace,
        MetricName=metric.name,
        Dimensions=filters,
        RecentlyActive=RECENTLY_ACTIVE,
    ):
        dimensions = members_of(listed_metric, {"Dimensions": is_list}).get("Dimensions", ())
        readable = [members_of(dimension, {"Name": is_text, "Value": is_text}) for dimension in dimensions]
        values = {dimension.get("Name"): dimension.get("Value", "") for dimension in readable}
        if values.keys() == {name, *DIMENSIONS}:
            methods_by_stage[values["Stage"]].append((values["Resource"], values["Method"]))
    return {stage: sorted(methods) for stage, methods in methods_by_stage.items()}


def without_own_settings(methods: Iterable[Method], own: Collection[Method]) -> list[Method]:
    """Return the methods that have no settings of their own.

    own: the methods that have their own settings. Among them, the verb ANY stands for all verbs of a path.
    """
    return [(path, verb) for path, verb in methods if not {(path, verb), (path, "ANY")} & {*own}]


def default_settings(stage: Mapping[str, Any]) -> Settings:
    """Return the settings of a REST API's stage for the methods without their own settings."""
    by_key = stage.get("methodSettings", {}).items()
    return next((settings for key, settings in by_key if parse_setting_key(key) == EVERY_METHOD), {})


def parse_setting_key(key: str) -> Method:
    """Return the method that a key of a stage's `methodSettings` names, such as `~1pets~1{id}/GET`."""
    path, _, verb = key.rpartition("/")
    return "/" + path.replace("~1", "/").replace("~0", "~").lstrip("/"), verb


def method_metrics_command(region: str, api: str, stage: str, method: Method) -> str:
    """Return the command that enables detailed metrics, which CloudWatch charges for.

    method: the method that they count, or EVERY_METHOD.
    """
    path, verb = method
    escaped_path = path.lstrip("/") if method == EVERY_METHOD else path.replace("~", "~0").replace("/", "~1")
    patch = f"op=replace,path=/{escaped_path}/{verb}/metrics/enabled,value=true"
    update = ["aws", "apigateway", "update-stage", "--region", region]
    return shlex.join([*update, "--rest-api-id", api, f"--stage-name={stage}", "--patch-operations", patch])


def route_metrics_command(region: str, api: str, stage: str, route: str, settings: Settings) -> str:
    """Return the command that enables detailed metrics of a route and keeps its other settings."""
    return _update_stage_command(
        region, api, stage, "--route-settings", {route: _with_detailed_metrics(settings)}
    )


def default_metrics_command(region: str, api: str, stage: str, settings: Settings) -> str:
    """Return the command that enables detailed metrics of all routes and keeps the other default settings."""
    return _update_stage_command(
        region, api, stage, "--default-route-settings", _with_detailed_metrics(settings)
    )


def _with_detailed_metrics(settings: Settings) -> Settings:
    return {**settings, "DetailedMetricsEnabled": True}


def _update_stage_command(region: str, api: str, stage: str, option: str, value: Settings) -> str:
    update = [
        "aws",
        "apigatewayv2",
        "update-stage",
        "--region",
        region,
        "--api-id",
        api,
        f"--stage-name={stage}",
    ]
    return shlex.join([*update, option, json.dumps(value, ensure_ascii=False)])
