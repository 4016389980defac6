"""`headroom check` against the simulated AWS, in this process or as a process of its own."""

import csv
import io
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.commands import app
from monitor.cli.scan import exit_code
from monitor.fleet.key import Key
from monitor.fleet.rows import Row
from monitor.report.check_formats import FIELDS
from monitor.report.failed_reads import FailedReads
from monitor.report.report import Report
from rules.band import Zone
from tests.monitor.cli.invocation import headroom, write_config
from tests.processes import ROOT
from tests.registries import STREAM_WRITE_BYTES

HEADROOM = str(Path(sys.executable).parent / "headroom")
DENIED_REGION = "ap-southeast-2"  # the simulated AWS denies all calls in this region
ALLOWED_AND_DENIED = f"{{services: [sqs], regions: [eu-west-1, {DENIED_REGION}]}}"
Check = Callable[..., Result]


def environment(aws_url: str, **further_variables: str) -> dict[str, str]:
    """Return the environment variables of a command that calls the simulated AWS."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_REGION": "eu-west-1",
        **further_variables,
    }


@pytest.fixture
def check(aws_url: str, empty_folder: Path) -> Check:
    """A function that runs `headroom check` in this process against the simulated AWS, by default for SQS."""

    def run(*arguments: str, config: str = "services: [sqs]", **variables: str) -> Result:
        command = ["check", "--config", write_config(empty_folder, config), *arguments]
        return CliRunner().invoke(app, command, env=environment(aws_url, **variables), catch_exceptions=False)

    return run


def run_check_process(
    aws_url: str, folder: Path, config: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run `headroom check` as a process."""
    command = [HEADROOM, "check", "--config", write_config(folder, config)]
    env = environment(aws_url, PYTHONPATH=str(ROOT), **variables)
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def items_of(result: Result) -> list[dict[str, Any]]:
    """Return the series of a report in JSON."""
    items: list[dict[str, Any]] = json.loads(result.stdout)["items"]
    return items


# Exit codes


def row(zone: Zone) -> Row:
    """Return the row of a series in a zone."""
    return Row(
        key=Key("123456789012", "eu-west-1", "kinesis", "stream_write_bytes", zone.word),
        zone=zone,
        usage=None,
        upper_bound=None,
        limit=None,
        source=None,
        signal=STREAM_WRITE_BYTES,
        utilization=None,
        throttled=None,
        sample_time=None,
        unobservable=None,
    )


DENIED_READS = ["ListStreams: no (AccessDenied)"]


@pytest.mark.parametrize(
    ("zones", "failures", "codes"),  # codes: the exit codes with --fail-on above, near, saturated and none
    [
        ([], [], (2, 2, 2, 2)),
        ([], DENIED_READS, (2, 2, 2, 2)),
        ([Zone.STALE, Zone.UNOBSERVABLE], DENIED_READS, (2, 2, 2, 2)),
        ([Zone.STALE], [], (0, 0, 0, 0)),
        ([Zone.UNOBSERVABLE], [], (0, 0, 0, 0)),
        ([Zone.BELOW], [], (0, 0, 0, 0)),
        ([Zone.WITHIN, Zone.BELOW], DENIED_READS, (3, 3, 3, 3)),
        ([Zone.ABOVE, Zone.WITHIN], [], (1, 0, 0, 0)),
        # A series in a zone of --fail-on takes precedence over a failed read.
        ([Zone.ABOVE, Zone.NEAR], DENIED_READS, (1, 1, 3, 3)),
        ([Zone.SATURATED, Zone.BELOW, Zone.UNOBSERVABLE], [], (1, 1, 1, 0)),
    ],
)
def test_the_exit_code_tells_the_worst_zone_or_else_that_reads_failed(
    zones: list[Zone], failures: list[str], codes: tuple[int, ...]
) -> None:
    report = Report(
        [row(zone) for zone in zones], FailedReads(failures, failures), requested_failures=failures
    )
    options = ("above", "near", "saturated", "none")
    assert tuple(exit_code(report, fail_on) for fail_on in options) == codes
    with_allow_blind = tuple(exit_code(report, fail_on, allow_blind=True) for fail_on in options)
    assert with_allow_blind == tuple(0 if code == 3 else code for code in codes)


def test_a_failed_read_outside_the_requested_series_changes_no_exit_code() -> None:
    report = Report([row(Zone.WITHIN)], FailedReads(DENIED_READS, DENIED_READS), requested_failures=[])
    assert exit_code(report, "above") == 0


@pytest.mark.parametrize(
    ("arguments", "config", "code"),
    [
        ([], "services: [sqs]", 1),  # orders.fifo is at its limit
        (["--fail-on", "none"], "services: [sqs]", 0),
        # CloudWatch has no metric of the requests that SQS throttles.
        (["--fail-on", "saturated"], "services: [sqs]", 0),
        (["--signal", "standard_in_flight"], "services: [sqs]", 0),
        ([], f"{{services: [sqs], regions: [{DENIED_REGION}]}}", 2),
        (["--fail-on", "none"], f"{{services: [sqs], regions: [{DENIED_REGION}]}}", 2),
        (["--allow-blind"], f"{{services: [sqs], regions: [{DENIED_REGION}]}}", 2),
        # Some services have series of the account although all of their calls are denied.
        ([], f"{{services: [sts, ecr], regions: [{DENIED_REGION}]}}", 2),
        ([], ALLOWED_AND_DENIED, 1),
        (["--fail-on", "none"], ALLOWED_AND_DENIED, 3),
        (["--fail-on", "none", "--allow-blind"], ALLOWED_AND_DENIED, 0),
        # A series that is not shown changes the exit code, too.
        (["--zone", "below", "--top", "1"], "services: [sqs]", 1),
        (["--fail-on", "none", "--region", "eu-*"], ALLOWED_AND_DENIED, 0),
    ],
)
def test_the_exit_code_depends_on_options_and_zones_and_failed_reads(
    arguments: list[str], config: str, code: int, check: Check
) -> None:
    assert check(*arguments, config=config).exit_code == code


# Output


def test_a_process_with_piped_output_prints_no_colours_and_no_progress_bar(
    aws_url: str, empty_folder: Path
) -> None:
    """Failed reads are listed below the table, and not on stderr."""
    result = run_check_process(
        aws_url, empty_folder, f"{{services: [sqs], regions: [eu-west-1, {DENIED_REGION}]}}"
    )
    assert result.returncode == 1
    assert result.stderr == ""
    assert "\x1b" not in result.stdout
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["zone", "utilization", "usage", "limit"]
    assert any("sqs.fifo_message_rate_batched" in line and "orders.fifo" in line for line in lines)
    failed_reads = result.stdout.partition("Failed reads of AWS\n")[2]
    assert f"123456789012/{DENIED_REGION} sqs: ListQueues: " in failed_reads


def test_a_command_without_access_prints_the_reason_once(aws_url: str, empty_folder: Path) -> None:
    account = {
        "name": "prod",
        "role_arn": "arn:aws:iam::210987654321:role/headroom",
        "regions": [DENIED_REGION],
    }
    result = run_check_process(aws_url, empty_folder, json.dumps({"accounts": [account]}), AWS_REGION="")
    assert result.returncode == 2
    assert result.stdout.count("account prod: AssumeRole: User is not authorized") == 1
    assert result.stderr == ""


def test_failed_reads_are_listed_and_the_series_of_other_reads_are_shown(
    check: Check,
) -> None:
    result = check("--fail-on", "none", config=ALLOWED_AND_DENIED)
    assert result.exit_code == 3
    assert result.stderr.endswith(" of AWS failed; exit code 3.\n")
    assert "orders.fifo" in result.stdout and f"{DENIED_REGION} sqs: ListQueues: " in result.stdout


def test_with_csv_output_failed_reads_are_on_stderr(check: Check) -> None:
    result = check("--fail-on", "none", "--format", "csv", config=ALLOWED_AND_DENIED)
    assert f"{DENIED_REGION} sqs: ListQueues: " not in result.stdout
    assert result.stderr.startswith("Failed read: ") and f"{DENIED_REGION} sqs: ListQueues: " in result.stderr


def test_the_help_says_what_each_exit_code_means() -> None:
    help_text = " ".join(headroom("check", "--help").stdout.split())
    assert all(f"{code} when" in help_text for code in range(4)) and "--allow-blind" in help_text


def test_json_is_one_document(check: Check) -> None:
    result = check("--format", "json")
    assert {item["service"] for item in items_of(result)} == {"sqs"}
    assert result.stderr == ""


def test_csv_has_a_record_for_each_series(check: Check) -> None:
    records = list(csv.DictReader(io.StringIO(check("--format", "csv").stdout)))
    assert list(records[0]) == list(FIELDS)
    assert "orders.fifo" in {record["resource"] for record in records}


def test_markdown_is_a_table(check: Check) -> None:
    lines = check("--format", "markdown").stdout.splitlines()
    assert lines[0].startswith("| zone | utilization |")
    assert all(line.count("|") == lines[0].count("|") for line in lines if line.startswith("|"))


@pytest.mark.parametrize(
    ("arguments", "label", "values"),
    [
        (["--service", "sqs"], "service", {"sqs"}),
        (["--service", "sqs", "--service", "s3"], "service", {"sqs", "s3"}),
        (["--signal", "sqs.fifo_in_flight"], "signal", {"fifo_in_flight"}),
        (["--region", "us-east-1"], "region", {"us-east-1"}),
        (["--account", "123456789012", "--region", "eu-*"], "region", {"eu-west-1"}),
        (["--account", "mine"], "account", {"123456789012"}),
        (["--service", "sqs, s3"], "service", {"sqs", "s3"}),
        (["--resource", "orders.*,nothing"], "resource", {"orders.fifo"}),
        (["--zone", "near,saturated", "--service", "sqs"], "zone", {"near"}),
    ],
)
def test_only_requested_series_are_shown(
    arguments: list[str], label: str, values: set[str], check: Check
) -> None:
    config = "{services: [sqs, s3], regions: [eu-west-1, us-east-1], accounts: [{name: mine}]}"
    items = items_of(check("--format", "json", *arguments, config=config))
    assert {item[label] for item in items} == values


def test_the_option_top_shows_the_most_urgent_series_and_counts_the_rest(check: Check) -> None:
    all_items, result = items_of(check("--format", "json")), check("--format", "json", "--top", "2")
    assert items_of(result) == all_items[:2]
    rest = f"{len(all_items) - 2} more series are not shown"
    assert result.stderr == f"{rest}: --zone and --top choose what is printed.\n"


def test_an_unknown_zone_is_rejected_with_the_nearest_zone() -> None:
    result = headroom("check", "--zone", "near,saturatd")
    assert result.exit_code == 2
    assert "did you mean saturated?" in " ".join(result.stderr.replace("│", " ").split())


def test_options_that_match_no_series_exit_with_2(check: Check) -> None:
    result = check("--account", "210987654321")
    assert result.exit_code == 2
    assert "No series found" in result.stdout


@pytest.mark.parametrize(
    ("option", "unknown", "known"),
    [("--service", "kinesiss", "kinesis"), ("--signal", "stream_write_byte", "stream_write_bytes")],
)
def test_an_unknown_service_or_signal_is_rejected_before_aws_is_called(
    option: str, unknown: str, known: str, empty_folder: Path
) -> None:
    result = headroom("check", option, unknown)
    assert result.exit_code == 2
    assert f"found '{unknown}'; did you mean {known}?" in result.stderr


@pytest.mark.parametrize(
    ("variables", "failure", "next_step"),
    [
        ({"AWS_REGION": ""}, "no region is set (MissingRegionError). ", "Name a region in `regions`"),
        (
            {"AWS_ACCESS_KEY_ID": ""},
            "Unable to locate credentials (NoCredentialsError). ",
            "Give Headroom credentials: ",
        ),
        (
            {"AWS_PROFILE": "absent"},
            "The config profile (absent) could not be found (ProfileNotFound). ",
            "Name a profile that exists in AWS_PROFILE",
        ),
    ],
)
def test_an_inaccessible_account_is_reported_with_the_next_step_and_exits_with_2(
    variables: dict[str, str], failure: str, next_step: str, check: Check
) -> None:
    result = check(**variables)
    assert result.exit_code == 2
    assert f"account default: {failure}{next_step}" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_ctrl_c_ends_a_check_in_a_terminal_while_its_progress_bar_is_shown(empty_folder: Path) -> None:
    """The terminal is a pseudo-terminal; the bar is shown while AWS does not answer."""
    our_end, process_end = pty.openpty()
    command = [HEADROOM, "check", "--config", write_config(empty_folder, "regions: [eu-west-1, us-east-1]")]
    with socket.create_server(("127.0.0.1", 0)) as silent_aws:
        env = environment(
            f"http://127.0.0.1:{silent_aws.getsockname()[1]}", TERM="xterm-256color", COLUMNS="200"
        )
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=process_end, text=True)
        with process:
            os.close(process_end)
            terminal_text = ""
            while "Reading" not in terminal_text:
                terminal_text += os.read(our_end, 4096).decode()
            killer = Timer(60, process.kill)
            killer.start()
            process.send_signal(signal.SIGINT)
            with suppress(OSError):  # raised once the process has closed the terminal
                while os.read(our_end, 4096):  # without a reader, the process would block when it writes
                    pass
            assert process.wait() == 130
            killer.cancel()
            os.close(our_end)
