"""Commands that make room: exact, of operations that AWS has, and safe to paste."""

import shlex
from dataclasses import replace

import botocore.session
import pytest
from botocore import xform_name

from collectors.kinesis import MIB
from monitor.commands import COMMANDS, make_room
from monitor.fleet import Fleet, Series
from rules.limits import Kind, Limit, Source, signals
from tests.monitor.fleets import RULING, add, key

SIGNALS = {signal.id: signal for signal in signals()}
AWS = botocore.session.Session()


def made(name: str, limit: float = 1000.0, used: float | None = 0.95, resource: str = "orders/app") -> str:
    return make_room(SIGNALS[name], series(name, limit, resource), used) or ""


def series(name: str, limit: float, resource: str) -> Series:
    ruling = replace(RULING, limit=Limit(limit, Source.API, 0))
    return add(Fleet(), key(resource, name), ruling)


@pytest.mark.parametrize("name", [*COMMANDS, *(one.id for one in signals() if one.quota)])
def test_a_command_is_one_that_aws_has(name: str) -> None:
    """The names of operations and options are those of botocore's models, as the CLI's are."""
    aws, service, operation, *options = shlex.split(made(name, limit=1e9))
    assert aws == "aws"
    model = AWS.get_service_model(service)
    shape = next(
        model.operation_model(one).input_shape
        for one in model.operation_names
        if xform_name(one, "-") == operation
    )
    assert shape is not None
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert given.pop("--region") == "eu-west-1"
    known = {f"--{xform_name(member, '-')}" for member in shape.members}
    assert set(given) <= known
    assert {f"--{xform_name(one, '-')}" for one in shape.required_members} <= set(given)


@pytest.mark.parametrize(
    ("name", "limit", "used", "told"),
    [
        ("kinesis.stream_write_bytes", 4 * MIB, 0.8, "--stream-name orders --target-shard-count 6 "),
        ("kinesis.stream_write_bytes", 4 * MIB, 3.0, "--target-shard-count 8 "),  # at most twice as many
        ("kinesis.stream_write_records", 4000, 0.8, "--target-shard-count 6 "),
        ("kinesis.retention_iterator_age", 24 * 3.6e6, 0.8, "--retention-period-hours 35 "),
        ("autoscaling.group_max_size", 12, 1.0, "--max-size 22 "),
        ("lambda.function_provisioned_concurrency", 50, 1.0, "--qualifier app --provisioned-concurrent-exec"),
        ("lambda.account_concurrency", 1000, 0.95, "--quota-code L-B99A9384 --desired-value 1728 "),
    ],
)
def test_with_it_the_usage_is_in_the_middle_of_the_band(
    name: str, limit: float, used: float, told: str
) -> None:
    resource = "web" if name.startswith("autoscaling") else "orders/app"
    assert told in made(name, limit, used, resource if "kinesis" not in name else "orders")


def test_a_queue_s_address_is_that_of_its_partition() -> None:
    one = series("sqs.fifo_message_rate_batched", 3000, "orders.fifo")
    in_china = replace(one, key=one.key._replace(region="cn-north-1"))
    for where, address in ((one, "eu-west-1.amazonaws.com/"), (in_china, "cn-north-1.amazonaws.com.cn/")):
        command = make_room(SIGNALS["sqs.fifo_message_rate_batched"], where, 1.0) or ""
        assert f"--queue-url https://sqs.{address}123456789012/orders.fifo " in command


@pytest.mark.parametrize("used", [None, 0.0, 0.5, 0.7])
def test_where_there_is_room_nothing_is_advised(used: float | None) -> None:
    assert made("kinesis.stream_write_bytes", used=used) == ""


def test_what_nobody_can_raise_has_none() -> None:
    fixed = [
        one.id for one in signals() if one.kind is Kind.FIXED and one.id not in COMMANDS and not one.quota
    ]
    assert fixed and not any(made(one) for one in fixed)


def test_a_name_cannot_add_to_the_command() -> None:
    hostile = "x; rm -rf ~ $(id) 'y'"
    words = shlex.split(made("lambda.function_reserved_concurrency", resource=hostile))
    assert words[words.index("--function-name") + 1] == hostile
