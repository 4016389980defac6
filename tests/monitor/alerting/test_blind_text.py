"""The texts of alerts about blind spots."""

from dataclasses import replace

import pytest

from monitor.alerting.blind_text import end_text, iam_action, remedies, summary
from monitor.alerting.visibility import BlindSpot, ObservationTarget
from monitor.aws.failure import Failure
from monitor.aws.failure_class import FailureClass
from monitor.aws.next_steps import BY_CLASS
from monitor.aws.status import describe_failure
from monitor.schema.selector import Location
from tests.registries import REGISTRY

S3_DENIAL = (
    "User: arn:aws:iam::111111111111:user/a is not authorized to perform: s3:GetMetricsConfiguration because "
    "no identity-based policy allows the s3:GetMetricsConfiguration action"
)
REGIONS = [f"ap-south-{number}" for number in range(1, 15)]
DENIED = Failure("ListStreams", "", "AccessDeniedException", "not authorized")
DENIED_BY_SCP = Failure(
    "ListStreams",
    "",
    "AccessDeniedException",
    "User: arn:aws:sts::111111111111:assumed-role/headroom/headroom is not authorized to perform: "
    "kinesis:ListStreams with an explicit deny in a service control policy",
)


def target(region: str, service: str, *failures: Failure) -> ObservationTarget:
    """Return a service of a region that should be read."""
    return ObservationTarget("1" * 12, region, service, "prod", 0.0, 300, failures=failures)


def blind_spot(*targets: ObservationTarget, cause: str = FailureClass.DENIED, regions: int = 15) -> BlindSpot:
    """Return a blind spot with these targets."""
    return BlindSpot("1" * 12, "prod", cause, targets, regions)


def failure(operation: str, code: str = "AccessDenied", message: str = "no.") -> Failure:
    return Failure(operation, "", code, message)


TEXTS = [
    (
        blind_spot(target("eu-west-1", "kinesis", DENIED)),
        "AccessDeniedException of kinesis:ListStreams in eu-west-1 of prod: not authorized. "
        "Not monitored there: Kinesis Data Streams.",
    ),
    (
        blind_spot(target("eu-west-1", "s3", replace(DENIED, message=S3_DENIAL))),
        f"AccessDeniedException of s3:GetMetricsConfiguration in eu-west-1 of prod: {S3_DENIAL}. "
        "Not monitored there: Simple Storage Service.",
    ),
    (
        blind_spot(
            *(target(region, "kinesis", DENIED_BY_SCP) for region in REGIONS),
            cause=FailureClass.ORGANIZATION,
        ),
        "The organization denies kinesis:ListStreams in 14 of 15 regions of prod (ap-south-1, ap-south-10, "
        f"ap-south-11 and 11 more): {DENIED_BY_SCP.message}. Not monitored there: Kinesis Data Streams.",
    ),
    (
        blind_spot(target("global", "", failure("GetMetricData"))),
        "AccessDenied of cloudwatch:GetMetricData in the global services of prod: no. "
        "Not monitored there: CloudWatch metrics.",
    ),
    (
        blind_spot(target("eu-west-1", "", failure("GetMetricData"))),
        "AccessDenied of cloudwatch:GetMetricData in eu-west-1 of prod: no. "
        "Not monitored there: CloudWatch metrics.",
    ),
    (
        blind_spot(
            *(target(region, "kinesis", DENIED) for region in REGIONS),
            *(target(region, "sqs", failure("ListQueues")) for region in REGIONS),
            *(target(region, "lambda", failure("GetAccountSettings")) for region in REGIONS),
        ),
        "AccessDeniedException of kinesis:ListStreams and 2 more in 14 of 15 regions of prod (ap-south-1, "
        "ap-south-10, ap-south-11 and 11 more): not authorized. "
        "Not monitored there: Kinesis Data Streams, Lambda, Simple Queue Service.",
    ),
    (
        blind_spot(
            target("eu-west-1", "sqs", failure("")), target("us-east-1", "sqs", failure("")), regions=2
        ),
        "AccessDenied in 2 of 2 regions of prod (eu-west-1, us-east-1): no. "
        "Not monitored there: Simple Queue Service.",
    ),
    (
        blind_spot(target("", "", failure("AssumeRole", message="not you"))),
        "AccessDenied of sts:AssumeRole: Headroom cannot access the account prod: not you.",
    ),
    (
        blind_spot(target("eu-west-1", ""), cause=FailureClass.LATE),
        "No read has completed in eu-west-1 of prod. Not monitored there: CloudWatch metrics.",
    ),
    (
        blind_spot(target("eu-west-1", "sqs", failure("ListQueues", "OddError", ""))),
        "OddError of sqs:ListQueues in eu-west-1 of prod. Not monitored there: Simple Queue Service.",
    ),
]


@pytest.mark.parametrize(("spot", "expected"), TEXTS)
def test_the_summary_names_the_failed_operation_its_places_and_what_is_not_monitored(
    spot: BlindSpot, expected: str
) -> None:
    assert summary(spot, REGISTRY) == expected


def test_the_order_of_failures_does_not_change_the_summary() -> None:
    targets = [target(region, "kinesis", DENIED, failure("ListShards")) for region in REGIONS]
    assert summary(blind_spot(*targets), REGISTRY) == summary(blind_spot(*targets[::-1]), REGISTRY)


@pytest.mark.parametrize(
    ("service", "operation", "action"),
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
def test_an_operation_is_named_by_its_iam_action(service: str, operation: str, action: str) -> None:
    assert iam_action(service, operation, REGISTRY) == action


def test_each_failure_class_except_late_has_a_remedy_and_every_class_has_a_text_for_its_end() -> None:
    without_remedy = {FailureClass.LATE}
    assert {*BY_CLASS} == {*FailureClass} - without_remedy
    assert len({end_text(kind) for kind in FailureClass}) == len(FailureClass)
    assert "`headroom iam-policy`" in remedies(blind_spot())[0] and "`exclude`" in remedies(blind_spot())[1]


def test_the_remedy_names_all_regions_that_the_organization_denies() -> None:
    spot = blind_spot(
        *(target(region, "kinesis", DENIED_BY_SCP) for region in REGIONS), cause=FailureClass.ORGANIZATION
    )
    step, regions = remedies(spot)
    assert "`exclude`" in step
    assert regions == f"It is denied in {', '.join(sorted(REGIONS))}."


DENYING_POLICIES = [
    ("because no identity-based policy allows the s3:ListAllMyBuckets action", "`headroom iam-policy`"),
    ("because no permissions boundary allows the s3:ListAllMyBuckets action", "in the permissions boundary"),
    ("with an explicit deny in a permissions boundary", "in the permissions boundary"),
    ("because no session policy allows the s3:ListAllMyBuckets action", "policy of the session"),
    ("because no VPC endpoint policy allows the s3:ListAllMyBuckets action", "policy of the VPC endpoint"),
    ("with an explicit deny in an identity-based policy", "Remove the denial"),
]


@pytest.mark.parametrize(("wording", "step"), DENYING_POLICIES)
def test_the_remedy_depends_on_the_policy_that_denies(wording: str, step: str) -> None:
    message = f"User: a is not authorized to perform: s3:ListAllMyBuckets {wording}"
    assert step in remedies(blind_spot(target("eu-west-1", "s3", failure("ListBuckets", message=message))))[0]


ACCESS_FAILURES = [
    (Failure("", "", "NoCredentialsError", "Unable to locate credentials"), "AWS_PROFILE"),
    (Failure("", "", "ProfileNotFound", "The config profile (x) could not be found"), "list-profiles"),
    (Failure("", "", "UnauthorizedSSOTokenError", "The SSO session has expired"), "`aws sso login`"),
    (Failure("", "", "TokenRetrievalError", "Token has expired and refresh failed"), "`aws sso login`"),
    (Failure("", "", "MissingRegionError", "no region is set"), "`regions`"),
    (Failure("", "", "CredentialRetrievalError", "Error when retrieving"), "`credential_process`"),
    (Failure("AssumeRole", "", "AccessDenied", "not authorized to perform: sts:AssumeRole"), "trust policy"),
    (Failure("GetCallerIdentity", "", "ExpiredToken", "expired"), "Renew the credentials"),
]


@pytest.mark.parametrize(("access_failure", "step"), ACCESS_FAILURES)
def test_an_inaccessible_account_is_described_in_one_sentence_with_the_next_step(
    access_failure: Failure, step: str
) -> None:
    spot = blind_spot(target("", "", access_failure), cause=access_failure.failure_class)
    assert summary(spot, REGISTRY).count(". ") == 0
    (remedy,) = remedies(spot)
    assert step in remedy
    assert (
        describe_failure(Location("", "prod"), access_failure)
        == f"account prod: {access_failure.sentence}. {remedy}"
    )
