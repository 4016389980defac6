"""`headroom quota request` against the simulated AWS."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.commands import app
from tests.monitor.cli.invocation import headroom, write_config
from tests.processes import environment_of_aws

RunRequest = Callable[..., Result]
SHARDS = "kinesis.shards_per_region"
COMMAND = (
    "aws service-quotas request-service-quota-increase --service-code kinesis --quota-code L-0918CF54"
    " --desired-value 30000 --region eu-west-1\n"
)
TWO_REGIONS = "regions: [eu-west-1, ap-southeast-2]"


@pytest.fixture
def run_request(aws_url: str, empty_folder: Path) -> RunRequest:
    """A function that runs `headroom quota request` in this process, by default in eu-west-1."""

    def run(*arguments: str, config: str = "regions: [eu-west-1]", **variables: str) -> Result:
        command = ["quota", "request", "--config", write_config(empty_folder, config), *arguments]
        environment = {**environment_of_aws(aws_url), **variables}
        return CliRunner().invoke(app, command, env=environment, catch_exceptions=False)

    return run


@pytest.mark.parametrize("name", [SHARDS, "kinesis/L-0918CF54"])
def test_only_the_command_is_printed_to_stdout(run_request: RunRequest, name: str) -> None:
    result = run_request(name, "--to", "30k")
    assert (result.exit_code, result.stdout) == (0, COMMAND)
    assert "credentials of the account default (" in result.stderr
    assert "that allow servicequotas:RequestServiceQuotaIncrease" in result.stderr


def test_a_profile_is_part_of_the_command(run_request: RunRequest, empty_folder: Path) -> None:
    profiles = empty_folder / "profiles"
    profiles.write_text("[profile mine]\naws_access_key_id = test\naws_secret_access_key = test\n")
    command_with_profile = COMMAND.replace("\n", " --profile mine\n")
    result = run_request(SHARDS, "--to", "30000", AWS_PROFILE="mine", AWS_CONFIG_FILE=str(profiles))
    assert result.stdout == command_with_profile
    config = "{regions: [eu-west-1], accounts: [{profile: mine}]}"
    result = run_request(SHARDS, "--to", "30000", config=config, AWS_CONFIG_FILE=str(profiles))
    assert result.stdout == command_with_profile


def test_with_the_option_yes_the_request_is_sent(run_request: RunRequest) -> None:
    result = run_request(SHARDS, "--to", "30000", "--yes")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "kinesis Shards per Region (L-0918CF54): An increase to 30,000 was requested"
    )
    assert result.stdout.endswith("and is pending.\n")


def test_a_quota_in_several_regions_needs_the_option_region(run_request: RunRequest) -> None:
    result = run_request(SHARDS, "--to", "30k", config=TWO_REGIONS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("expected --region")
    assert run_request(SHARDS, "--to", "30k", "--region", "eu-west-1", config=TWO_REGIONS).stdout == COMMAND


def test_in_a_region_that_denies_all_calls_the_missing_permission_is_named(run_request: RunRequest) -> None:
    result = run_request(SHARDS, "--to", "30k", "--region", "ap-southeast-2", config=TWO_REGIONS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "the credentials lack servicequotas:GetServiceQuota\n"


# Arguments, the exit code, and a part of the reason.
IMPOSSIBLE_REQUESTS = {
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


@pytest.mark.parametrize(
    ("arguments", "code", "expected"), IMPOSSIBLE_REQUESTS.values(), ids=IMPOSSIBLE_REQUESTS
)
def test_an_impossible_quota_request_is_reported_with_the_reason_in_one_line(
    run_request: RunRequest, arguments: tuple[str, ...], code: int, expected: str
) -> None:
    result = run_request(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert expected in result.stderr and result.stderr.count("\n") == 1


def test_the_policy_allows_requests_only_with_the_option_quota_requests() -> None:
    action = "servicequotas:RequestServiceQuotaIncrease"
    assert action not in headroom("iam-policy", "--service", "sqs").stdout
    assert action in headroom("iam-policy", "--service", "sqs", "--quota-requests").stdout
