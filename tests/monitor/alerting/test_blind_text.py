"""What is said of what is not seen."""

import pytest

from monitor.alerting.blind_text import REMEDIES, end_text, iam_action, remedies, summary
from monitor.alerting.visibility import BlindSpot, ObservationTarget
from monitor.aws.failure import Failure
from monitor.aws.failure_class import FailureClass
from tests.registries import REGISTRY

REGIONS = [f"ap-south-{number}" for number in range(1, 15)]
DENIED = Failure("ListStreams", "", "AccessDeniedException", "explicit deny in a service control policy")


def target(region: str, service: str, *failures: Failure) -> ObservationTarget:
    return ObservationTarget("1" * 12, region, service, "prod", 0.0, 300, failures=failures)


def spot(*targets: ObservationTarget, cause: str = FailureClass.DENIED, regions: int = 15) -> BlindSpot:
    return BlindSpot("1" * 12, "prod", cause, targets, regions)


def failure(operation: str, code: str = "AccessDenied", message: str = "no.") -> Failure:
    return Failure(operation, "", code, message)


TEXTS = [
    (
        spot(target("eu-west-1", "kinesis", DENIED)),
        "AccessDeniedException of kinesis:ListStreams in eu-west-1 of prod: explicit deny in a service "
        "control policy. Not monitored there: Kinesis Data Streams.",
    ),
    (
        spot(target("global", "", failure("GetMetricData"))),
        "AccessDenied of cloudwatch:GetMetricData in the global services of prod: no. "
        "Not monitored there: CloudWatch metrics.",
    ),
    (
        spot(target("eu-west-1", "", failure("GetMetricData"))),
        "AccessDenied of cloudwatch:GetMetricData in eu-west-1 of prod: no. "
        "Not monitored there: CloudWatch metrics.",
    ),
    (
        spot(
            *(target(one, "kinesis", DENIED) for one in REGIONS),
            *(target(one, "sqs", failure("ListQueues")) for one in REGIONS),
            *(target(one, "lambda", failure("GetAccountSettings")) for one in REGIONS),
        ),
        "AccessDeniedException of kinesis:ListStreams and 2 more in 14 of 15 regions of prod (ap-south-1, "
        "ap-south-10, ap-south-11 and 11 more): explicit deny in a service control policy. "
        "Not monitored there: Kinesis Data Streams, Lambda, Simple Queue Service.",
    ),
    (
        spot(target("eu-west-1", "sqs", failure("")), target("us-east-1", "sqs", failure("")), regions=2),
        "AccessDenied in 2 of 2 regions of prod (eu-west-1, us-east-1): no. "
        "Not monitored there: Simple Queue Service.",
    ),
    (
        spot(target("", "", failure("AssumeRole", message="not you"))),
        "AccessDenied of sts:AssumeRole: Headroom cannot access the account prod: not you.",
    ),
    (
        spot(target("eu-west-1", ""), cause=FailureClass.LATE),
        "No read has completed in eu-west-1 of prod. Not monitored there: CloudWatch metrics.",
    ),
    (
        spot(target("eu-west-1", "sqs", failure("ListQueues", "OddError", ""))),
        "OddError of sqs:ListQueues in eu-west-1 of prod. Not monitored there: Simple Queue Service.",
    ),
]


@pytest.mark.parametrize(("told", "said"), TEXTS)
def test_it_says_what_failed_where_and_what_is_hidden(told: BlindSpot, said: str) -> None:
    assert summary(told, REGISTRY) == said


def test_the_same_failures_in_another_order_are_the_same_text() -> None:
    many = [target(one, "kinesis", DENIED, failure("ListShards")) for one in REGIONS]
    assert summary(spot(*many), REGISTRY) == summary(spot(*many[::-1]), REGISTRY)


@pytest.mark.parametrize(
    ("service", "operation", "named"),
    [
        ("kinesis", "ListStreams", "kinesis:ListStreams"),
        ("kinesis", "GetMetricData", "cloudwatch:GetMetricData"),
        ("kinesis", "GetServiceQuota", "servicequotas:GetServiceQuota"),
        ("", "GetMetricData", "cloudwatch:GetMetricData"),
        ("", "AssumeRole", "sts:AssumeRole"),
        ("apigateway", "GetRestApis", "apigateway:GetRestApis"),
        ("kinesis", "", ""),
    ],
)
def test_an_operation_is_named_as_a_policy_names_it(service: str, operation: str, named: str) -> None:
    assert iam_action(service, operation, REGISTRY) == named


def test_each_class_has_something_to_do_and_an_end() -> None:
    waiting = {FailureClass.LATE}
    assert {*REMEDIES} == {*FailureClass} - waiting
    assert len({end_text(kind) for kind in FailureClass}) == len(FailureClass)
    assert "`headroom iam-policy`" in remedies(spot())[0] and "`exclude`" in remedies(spot())[1]
