"""Commands that raise limits: they are exact, use existing AWS operations, and are safe to paste."""

import shlex
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from botocore import xform_name

from collectors.kinesis import MIB
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import Key
from monitor.lib.partitions import partitions
from monitor.render.commands import increase_command
from rules.limits import Limit, LimitSource
from rules.signals import Band, LimitKind, RemedyCommand, Service
from tests.fake_aws import SERVICE_MODELS
from tests.monitor.fleet.fleets import ACCOUNT, REGION, SETTINGS, add, key
from tests.registries import REGISTRY, each_service
from tests.resources import resource_for

SIGNALS = {signal.id: signal for signal in REGISTRY.signals}


def test_a_band_that_begins_at_zero_does_not_lead_to_idle_capacity() -> None:
    series_settings = replace(SETTINGS, limit=Limit(30, LimitSource.API, 0), band=Band(low=0.0, high=0.7))
    group = add(Fleet(), key("render", "autoscaling.group_max_size"), series_settings)
    group = replace(group, key=series("autoscaling.group_max_size", 30, "render").key)
    assert "--max-size 55 " in (increase_command(SIGNALS["autoscaling.group_max_size"], group, 1.0) or "")


def command_for(
    name: str, limit: float = 1000.0, utilization: float | None = 0.95, resource: str = "orders/app"
) -> str:
    """Return the command that raises the limit of a signal; empty if there is no command. name: its id."""
    return increase_command(SIGNALS[name], series(name, limit, resource), utilization) or ""


def series(name: str, limit: float, resource: str) -> Series:
    """Return a series of a signal. name: the signal's id.

    resource: the path of the resource. `child` is added to a path of one id, in case the signal needs two.
    """
    series_settings = replace(SETTINGS, limit=Limit(limit, LimitSource.API, 0))
    path = (*resource.split("/"), "child")[:2]
    service, signal = name.split(".")
    return add(
        Fleet(), Key(ACCOUNT, REGION, service, signal, resource_for(SIGNALS[name], path)), series_settings
    )


def values_by_option(words: list[str]) -> dict[str, list[str]]:
    """Return the values of each option of a command; a flag has no values."""
    values: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            option, equals, value = word.partition("=")
            values[option] = [value] if equals else []
        else:
            values[option].append(word)
    return values


@cache
def operation_shape(service: str, operation: str) -> Any:
    """Return the input shape of a CLI operation, found by its name in botocore's models."""
    model = SERVICE_MODELS.get_service_model(service)
    names = (name for name in model.operation_names if xform_name(name, "-") == operation)
    return model.operation_model(next(names)).input_shape


@each_service
def test_a_command_is_an_aws_operation(service: Service) -> None:
    for signal in service.signals.values():
        if signal.command or (signal.quota and signal.kind is LimitKind.QUOTA):
            check_command(command_for(signal.id, limit=1e9))


def check_command(command: str) -> None:
    """Check that AWS has the operation and the options of a command."""
    aws, service, operation, *options = shlex.split(command)
    assert aws == "aws"
    shape = operation_shape(service, operation)
    assert shape is not None
    values = values_by_option(options)
    assert values.pop("--region") == ["eu-west-1"]
    possible = {f"--{xform_name(member, '-')}" for member in shape.members}
    assert set(values) <= possible, command
    assert {f"--{xform_name(member, '-')}" for member in shape.required_members} <= set(values)


@pytest.mark.parametrize(
    ("name", "limit", "utilization", "command"),
    [
        ("kinesis.stream_write_bytes", 4 * MIB, 0.8, "--stream-name=orders --target-shard-count 6 "),
        # AWS allows at most twice as many shards.
        ("kinesis.stream_write_bytes", 4 * MIB, 3.0, "--target-shard-count 8 "),
        ("kinesis.stream_write_records", 4000, 0.8, "--target-shard-count 6 "),
        ("kinesis.retention_iterator_age", 24 * 3.6e6, 0.8, "--retention-period-hours 35 "),
        ("autoscaling.group_max_size", 12, 1.0, "--max-size 22 "),
        ("lambda.function_provisioned_concurrency", 50, 1.0, "--qualifier=app --provisioned-concurrent-exec"),
        ("lambda.account_concurrency", 1000, 0.95, "--quota-code L-B99A9384 --desired-value 1728 "),
    ],
)
def test_the_new_limit_puts_the_usage_in_the_middle_of_the_band(
    name: str, limit: float, utilization: float, command: str
) -> None:
    resource = "web" if name.startswith("autoscaling") else "orders/app"
    assert command in command_for(name, limit, utilization, resource if "kinesis" not in name else "orders")


def test_the_url_of_a_queue_has_the_domain_of_its_partition() -> None:
    in_ireland = series("sqs.fifo_message_rate_batched", 3000, "orders.fifo")
    in_china = replace(in_ireland, key=in_ireland.key._replace(region="cn-north-1"))
    for queue, address in (
        (in_ireland, "eu-west-1.amazonaws.com/"),
        (in_china, "cn-north-1.amazonaws.com.cn/"),
    ):
        command = increase_command(SIGNALS["sqs.fifo_message_rate_batched"], queue, 1.0) or ""
        assert f"--queue-url https://sqs.{address}123456789012/orders.fifo " in command


@pytest.mark.parametrize("name", sorted(partitions()))
def test_every_command_names_the_region_and_the_domain_of_the_partition(name: str) -> None:
    partition = partitions()[name]
    region = partition.regions[0]
    for signal in REGISTRY.signals:
        in_ireland = series(signal.id, 1000.0, "orders")
        in_region = replace(in_ireland, key=in_ireland.key._replace(region=region))
        command = increase_command(signal, in_region, 1.0, saturated=True)
        if command is None:
            continue
        words = shlex.split(command.replace("=", " "))
        assert words[words.index("--region") + 1] == region, command
        assert f"{region}." not in command or f"{region}.{partition.dns_suffix}/" in command
        assert "arn:" not in command or f"arn:{name}:" in command


def test_the_new_limit_is_computed_from_the_limit_in_force() -> None:
    group, signal = series("autoscaling.group_max_size", 6, "web"), SIGNALS["autoscaling.group_max_size"]
    assert "--max-size 104 " in (increase_command(signal, group, 0.95, in_force=60) or "")


@pytest.mark.parametrize("utilization", [None, 0.0, 0.5, 0.7])
def test_a_series_within_its_band_has_no_command(utilization: float | None) -> None:
    assert command_for("kinesis.stream_write_bytes", utilization=utilization) == ""


def test_throttled_demand_has_a_command_at_any_utilization() -> None:
    command = RemedyCommand(run="aws kinesis update-stream-mode --stream-arn={stream}")
    signal = SIGNALS["kinesis.stream_write_bytes"].model_copy(update={"command": command})
    stream = series("kinesis.stream_write_bytes", 1000.0, "orders")
    assert increase_command(signal, stream, 0.1, saturated=True) == command.run.format(stream="orders")
    assert increase_command(signal, stream, 0.1) is None


def test_a_limit_that_cannot_be_raised_has_no_command() -> None:
    fixed = [signal for signal in REGISTRY.signals if not signal.command and signal.kind is LimitKind.FIXED]
    assert any(signal.quota for signal in fixed)
    assert not any(command_for(signal.id) for signal in fixed)


def test_resource_names_are_quoted_for_the_shell() -> None:
    hostile = "x; rm -rf ~ $(id) 'y'"
    words = shlex.split(command_for("lambda.function_reserved_concurrency", resource=hostile))
    assert f"--function-name={hostile}" in words
