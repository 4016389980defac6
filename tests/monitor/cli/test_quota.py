"""`headroom quota request` against the simulated AWS."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.commands import app
from tests.monitor.cli.invocation import headroom, write_config
from tests.processes import environment_of_aws

Request = Callable[..., Result]
SHARDS = "kinesis.shards_per_region"
COMMAND = (
    "aws service-quotas request-service-quota-increase --service-code kinesis --quota-code L-0918CF54"
    " --desired-value 30000 --region eu-west-1\n"
)
TWO_REGIONS = "regions: [eu-west-1, ap-southeast-2]"


@pytest.fixture
def request_(aws_url: str, elsewhere: Path) -> Request:
    """Runs `headroom quota request` in this process, by default in eu-west-1."""

    def run(*arguments: str, config: str = "regions: [eu-west-1]", **variables: str) -> Result:
        command = ["quota", "request", "--config", write_config(elsewhere, config), *arguments]
        environment = {**environment_of_aws(aws_url), **variables}
        return CliRunner().invoke(app, command, env=environment, catch_exceptions=False)

    return run


@pytest.mark.parametrize("name", [SHARDS, "kinesis/L-0918CF54"])
def test_only_the_command_is_printed_to_stdout(request_: Request, name: str) -> None:
    done = request_(name, "--to", "30k")
    assert (done.exit_code, done.stdout) == (0, COMMAND)
    assert "credentials of the account default (" in done.stderr
    assert "that allow servicequotas:RequestServiceQuotaIncrease" in done.stderr


def test_a_profile_is_part_of_the_command(request_: Request, elsewhere: Path) -> None:
    keys = "aws_access_key_id = test\naws_secret_access_key = test\n"
    (elsewhere / "profiles").write_text(f"[profile mine]\n{keys}")
    done = request_(SHARDS, "--to", "30000", AWS_PROFILE="mine", AWS_CONFIG_FILE=str(elsewhere / "profiles"))
    assert done.stdout == COMMAND.replace("\n", " --profile mine\n")
    config = "{regions: [eu-west-1], accounts: [{profile: mine}]}"
    done = request_(SHARDS, "--to", "30000", config=config, AWS_CONFIG_FILE=str(elsewhere / "profiles"))
    assert done.stdout == COMMAND.replace("\n", " --profile mine\n")


def test_with_yes_the_request_is_sent(request_: Request) -> None:
    done = request_(SHARDS, "--to", "30000", "--yes")
    assert done.exit_code == 0
    assert done.stdout.startswith(
        "kinesis Shards per Region (L-0918CF54): An increase to 30,000 was requested"
    )
    assert done.stdout.endswith("and is pending.\n")


def test_a_quota_in_several_regions_needs_the_option_region(request_: Request) -> None:
    done = request_(SHARDS, "--to", "30k", config=TWO_REGIONS)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("expected --region")
    assert request_(SHARDS, "--to", "30k", "--region", "eu-west-1", config=TWO_REGIONS).stdout == COMMAND


def test_in_a_region_that_denies_all_calls_the_missing_permission_is_named(request_: Request) -> None:
    done = request_(SHARDS, "--to", "30k", "--region", "ap-southeast-2", config=TWO_REGIONS)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "the credentials lack servicequotas:GetServiceQuota\n"


REFUSALS = {
    "a pending request": (
        ("apigateway/L-8A5B8E43", "--to", "30k", "--region", "us-east-1"),
        1,
        "An increase to 20,000 was requested on ",
    ),
    "a value below the value in force": ((SHARDS, "--to", "5"), 1, "5 is not above the value in force, "),
    "a quota that AWS does not increase": (
        ("apigateway/L-46624B39", "--to", "20M"),
        1,
        "AWS does not increase it; it is 10,485,760",
    ),
    "a limit that is no quota": (
        ("kinesis.stream_write_bytes", "--to", "5MiB"),
        1,
        "what was bought or set on the resource",
    ),
    "an unknown signal": (("kinesis.shard_per_region", "--to", "5"), 2, f"did you mean {SHARDS}"),
    "an unknown quota": (("kinesis/L-00000000", "--to", "5"), 2, "Service Quotas has no quota"),
    "a value that is no amount": (
        (SHARDS, "--to", "many"),
        2,
        "expected an amount such as 2000 or 2k, found 'many'",
    ),
    "an account of other credentials": (
        (SHARDS, "--to", "30k", "--account", "999999999999"),
        2,
        "and not of 999999999999",
    ),
    "an unknown account": ((SHARDS, "--to", "30k", "--account", "production"), 2, "expected --account"),
}


@pytest.mark.parametrize(("arguments", "code", "expected"), REFUSALS.values(), ids=REFUSALS)
def test_a_refused_quota_request_has_a_reason_in_one_line(
    request_: Request, arguments: tuple[str, ...], code: int, expected: str
) -> None:
    done = request_(*arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert expected in done.stderr and done.stderr.count("\n") == 1


def test_the_policy_allows_requests_only_with_the_option_quota_requests() -> None:
    action = "servicequotas:RequestServiceQuotaIncrease"
    assert action not in headroom("iam-policy", "--service", "sqs").stdout
    assert action in headroom("iam-policy", "--service", "sqs", "--quota-requests").stdout
