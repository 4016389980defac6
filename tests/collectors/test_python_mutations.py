"""Collectors in Python read answers that contradict AWS's models: a wrong value affects only its own item.

`FUZZ_ROUNDS=1000 pytest tests/collectors/test_python_mutations.py` tries more wrong values.
"""

import os
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from monitor.config.config import Config
from tests.collectors.answer_mutations import CHANGES, change_within, mutations_of_item, values_within
from tests.fake_aws import ACCOUNT_ID
from tests.kinesis_answers import SHARD_LIMITS, stream_names, stream_summary
from tests.monitor.polling.inventories import BY_SERVICE, NO_QUOTAS, FakeAccount

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "40"))  # mutations that are tried of each answer
NAMES = ("a", "b", "c")
CHANGED_INDEX = 1  # the index of the item that is changed in each list: the item `b`
SETTINGS = {"throttlingRateLimit": 50.0, "metricsEnabled": True}
ROUTE_SETTINGS = {"ThrottlingRateLimit": 50.0, "ThrottlingBurstLimit": 5, "DetailedMetricsEnabled": True}
REST_STAGES = {
    "item": [
        {"stageName": name, "methodSettings": {"~1pets/GET": SETTINGS, "*/*": SETTINGS}, "tags": {"a": "b"}}
        for name in NAMES
    ]
}
HTTP_STAGES = {
    "Items": [
        {
            "StageName": name,
            "RouteSettings": {"GET /pets": ROUTE_SETTINGS},
            "DefaultRouteSettings": ROUTE_SETTINGS,
            "Tags": {"a": "b"},
        }
        for name in NAMES
    ]
}
PLANS = {
    "items": [
        {"id": name, "name": name, "throttle": {"rateLimit": 5.0}, "quota": {"limit": 9, "period": "DAY"}}
        for name in NAMES
    ]
}
ARN = f"arn:aws:lambda:eu-west-1:{ACCOUNT_ID}:function"

# By service and method: the answer, and the name of its member that is the list.
LISTS: Mapping[str, Mapping[str, tuple[Mapping[str, Any], str]]] = {
    "kinesis": {"list_streams": (stream_names(*NAMES), "StreamNames")},
    "lambda": {
        "list_functions": (
            {
                "Functions": [
                    {"FunctionName": name, "FunctionArn": f"{ARN}:{name}", "RevisionId": "1"}
                    for name in NAMES
                ]
            },
            "Functions",
        )
    },
    "s3": {
        "list_buckets": (
            {"Buckets": [{"Name": name, "BucketRegion": "eu-west-1"} for name in NAMES]},
            "Buckets",
        )
    },
    "apigateway": {
        "get_rest_apis": ({"items": [{"id": name, "name": f"api {name}"} for name in NAMES]}, "items"),
        "get_apis": (
            {
                "Items": [
                    {
                        "ApiId": f"h{name}",
                        "Name": f"http {name}",
                        "ProtocolType": "HTTP",
                        "RouteSelectionExpression": "",
                    }
                    for name in NAMES
                ]
            },
            "Items",
        ),
        "get_usage_plans": (PLANS, "items"),
    },
}
FILTER = {"Id": "uploads", "Filter": {"Prefix": "uploads/"}}
FURTHER_ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "kinesis": {
        "describe_limits": SHARD_LIMITS,
        "describe_stream_summary": lambda StreamName: stream_summary(StreamName, 2),
    },
    "lambda": {
        "get_account_settings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
        "get_function_concurrency": {"ReservedConcurrentExecutions": 5},
        "list_provisioned_concurrency_configs": {"ProvisionedConcurrencyConfigs": []},
    },
    "s3": {
        "list_bucket_metrics_configurations": {"IsTruncated": False, "MetricsConfigurationList": [FILTER]}
    },
    "apigateway": {
        "get_account": {"throttleSettings": {"rateLimit": 2500.0, "burstLimit": 1250}},
        "get_stages": lambda restApiId="", ApiId="", **_: REST_STAGES if restApiId else HTTP_STAGES,
        "list_metrics": {"Metrics": []},
        "get_usage": {"items": {"key": [[3, 6]]}},
    },
}


def answers_of(service: str) -> dict[str, Any]:
    """Return the valid answers of AWS to all calls of a collector."""
    return {
        **FURTHER_ANSWERS[service],
        **{method: answer for method, (answer, _) in LISTS[service].items()},
        **NO_QUOTAS,
    }


async def series_of(service: str, **answers: Any) -> dict[tuple[str, str], Any]:
    """Return the limit of each series, and why it is unobservable, by signal and resource."""
    config = Config.model_validate({"signals": {"detail": True}})
    account = FakeAccount(config, malformed=True, **{**answers_of(service), **answers})
    await account.run_inventory(BY_SERVICE[service])
    fleet = account.fleet
    return {
        (key.signal, key.resource): (
            series.settings.limit and series.settings.limit.value,
            series.unobservable,
        )
        for key, series in fleet.series.items()
    }


def is_of_unchanged_item(resource: str) -> bool:
    """Return whether a series is of an item that is not changed, and not of the whole account.

    A mutation may repeat the item `b` in upper case, as `B`.
    """
    first_id = resource.partition("/")[0]
    return bool(resource) and "b" not in first_id.lower()


@pytest.mark.parametrize(
    ("service", "method"), [(service, method) for service, methods in LISTS.items() for method in methods]
)
async def test_a_wrong_item_of_a_list_affects_no_other_item(service: str, method: str) -> None:
    before = await series_of(service)
    other_series = {key: series for key, series in before.items() if is_of_unchanged_item(key[1])}
    answer, member = LISTS[service][method]
    for mutation, items in mutations_of_item(answer[member], CHANGED_INDEX, ROUNDS, method):
        after = await series_of(service, **{method: {**answer, member: items}})
        assert {key: after.get(key) for key in other_series} == other_series, mutation
        assert {key for key in before if not key[1]} <= after.keys(), mutation


# By service and method: the answer about a single resource.
RESOURCE_ANSWERS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "kinesis": {
        "describe_stream_summary": stream_summary(
            "b", 2, EnhancedMonitoring=[{"ShardLevelMetrics": ["IncomingBytes"]}]
        )
    },
    "s3": {
        "list_bucket_metrics_configurations": {"IsTruncated": False, "MetricsConfigurationList": [FILTER]}
    },
    "apigateway": {"get_stages": REST_STAGES, "get_usage": {"items": {"key": [[3, 6]]}}},
    "lambda": {
        "get_function_concurrency": {"ReservedConcurrentExecutions": 5},
        "list_provisioned_concurrency_configs": {
            "ProvisionedConcurrencyConfigs": [
                {"FunctionArn": f"{ARN}:b:live", "AllocatedProvisionedConcurrentExecutions": 2}
            ]
        },
    },
}


# The parameters of calls about a resource that have its id.
ID_PARAMETERS = ("StreamName", "FunctionName", "Bucket", "restApiId", "usagePlanId")


@pytest.mark.parametrize(
    ("service", "method"),
    [(service, method) for service, methods in RESOURCE_ANSWERS.items() for method in methods],
)
async def test_a_wrong_answer_about_a_resource_affects_no_other_resource(service: str, method: str) -> None:
    usual_answer = answers_of(service)[method]
    before = await series_of(service)
    other_series = {key: series for key, series in before.items() if is_of_unchanged_item(key[1])}
    assert other_series
    answer = RESOURCE_ANSWERS[service][method]
    random = Random(method)
    paths_and_values = [*values_within(answer)]
    for _ in range(ROUNDS):
        path, value = random.choice(paths_and_values)
        change = random.choice([name for name, (applies, _) in CHANGES.items() if applies(path, value)])
        (mutated,) = change_within(answer, path, CHANGES[change][1])

        def respond(mutated: Any = mutated, **params: Any) -> Any:
            if "b" in [params.get(name) for name in ID_PARAMETERS]:
                return mutated
            return usual_answer(**params) if callable(usual_answer) else usual_answer

        after = await series_of(service, **{method: respond})
        assert {key: after.get(key) for key in other_series} == other_series, (path, change)


# By kind of API: the parameter that names the API, the answer, and its member that is the list.
STAGES = {"rest": ("restApiId", REST_STAGES, "item"), "http": ("ApiId", HTTP_STAGES, "Items")}


@pytest.mark.parametrize("kind", STAGES)
async def test_a_wrong_stage_affects_no_other_stage_of_its_api(kind: str) -> None:
    parameter, answer, member = STAGES[kind]
    before = await series_of("apigateway")
    changed_stage = f"{kind if kind == 'http' else 'api'} b/b"
    other_series = {key: series for key, series in before.items() if not key[1].startswith(changed_stage)}
    assert len(before) > len(other_series) > 10
    for mutation, items in mutations_of_item(answer[member], CHANGED_INDEX, ROUNDS, kind):

        def respond(items: Any = items, **params: Any) -> Any:
            is_changed = str(params.get(parameter, "")).endswith("b")
            usual_answer = REST_STAGES if params.get("restApiId") else HTTP_STAGES
            return {**answer, member: items} if is_changed else usual_answer

        after = await series_of("apigateway", get_stages=respond)
        assert {key: after.get(key) for key in other_series} == other_series, mutation
