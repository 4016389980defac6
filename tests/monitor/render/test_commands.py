"""Commands that raise limits: they are exact, use existing AWS operations, and are safe to paste."""

import shlex
from dataclasses import replace

import pytest

from collectors.kinesis import MIB
from collectors.response_types import PathError
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import Key
from monitor.lib.partitions import partitions
from monitor.render.commands import increase_command
from rules.limits import Limit, LimitSource
from rules.signals import Band, LimitKind, RemedyCommand, Service
from tests.monitor.fleet.fleets import ACCOUNT, REGION, SETTINGS, add, key
from tests.monitor.render.aws_cli import check_command
from tests.registries import REGISTRY, each_service
from tests.resources import resource_for

SIGNALS = {signal.id: signal for signal in REGISTRY.signals}
REGIONS_OF_APIS = {collector.service: collector.region for collector in REGISTRY.collectors}


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


@each_service
def test_a_command_is_an_aws_operation(service: Service) -> None:
    for signal in service.signals.values():
        if signal.command or (signal.quota and signal.kind is LimitKind.QUOTA):
            command = command_for(signal.id, limit=1e9)
            check_command(command, region_of_api(command, signal.service, REGION))


def region_of_api(command: str, service: str, region: str) -> str:
    """Return the region of the API that a command calls.

    region: the region of the series. The API of a global service may be in one region of its own, whereas
    its quotas are in the home region of the partition.
    """
    own_region = REGIONS_OF_APIS[service] if command.split()[1] == service else ""
    return own_region or region


@pytest.mark.parametrize(
    "mistake",
    [
        "sqs set-queue-attribute",
        "sqs delete-queue",
        "sqs delete-queue --queue-url URL --force",
        "sqs delete-queue --queue-url URL OTHER_URL",
        "ec2 modify-vpc-endpoint --vpc-endpoint-id ENDPOINT --add-subnet SUBNET",
        "efs update-file-system --file-system-id F --throughput-mode elastik",
        "memorydb update-cluster --cluster-name C --shard-configuration Shards=3",
        "memorydb update-cluster --cluster-name C --shard-configuration 3",
        "efs create-file-system --creation-token TOKEN --encrypted yes",
        "ecs create-service --service-name NAME --launch-type FARGAT",
        "kinesis update-stream-warm-throughput --warm-throughput-mi-bps a-few",
        'dynamodb update-table --table-name T --global-secondary-index-updates \'[{"Update":{"Name":"I"}}]\'',
        "cloudfront test-function --name F --if-match ETAG --event-object file://EVENT.json",
        "sns list-topics --query 'Topics[].Arn'",
        "iam get-account-summary --max-items 5",
    ],
)
def test_a_command_that_the_aws_cli_refuses_is_found(mistake: str) -> None:
    with pytest.raises((AssertionError, StopIteration, PathError, ValueError)):
        check_command(f"aws {mistake} --region {REGION}", REGION)


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
        ("lambda.invoke_rate_sync", 10_000, 0.95, "--quota-code L-B99A9384 --desired-value 1728 "),
        ("kinesis.on_demand_write_capacity", 4 * MIB, 0.8, "--warm-throughput-mi-bps 6 "),
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
        own_region = region_of_api(command, signal.service, region)
        assert words[words.index("--region") + 1] == own_region, command
        assert f"{region}." not in command or f"{region}.{partition.dns_suffix}/" in command
        assert "arn:" not in command or f"arn:{name}:" in command


def test_the_new_limit_is_computed_from_the_limit_in_force() -> None:
    group, signal = series("autoscaling.group_max_size", 6, "web"), SIGNALS["autoscaling.group_max_size"]
    assert "--max-size 104 " in (increase_command(signal, group, 0.95, limit_in_force=60) or "")


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
    fixed_signals = [
        signal for signal in REGISTRY.signals if not signal.command and signal.kind is LimitKind.FIXED
    ]
    assert any(signal.quota for signal in fixed_signals)
    assert not any(command_for(signal.id) for signal in fixed_signals)


def test_resource_names_are_quoted_for_the_shell() -> None:
    hostile = "x; rm -rf ~ $(id) 'y'"
    words = shlex.split(command_for("lambda.function_reserved_concurrency", resource=hostile))
    assert f"--function-name={hostile}" in words
