"""`headroom check` against the demo's AWS, in this process or, where that matters, as a real command."""

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from monitor.cli import app
from monitor.cli_look import outcome
from monitor.fleet import Key
from monitor.report import FIELDS, Report
from monitor.rows import Row
from rules.band import Zone
from tests.monitor.demo.conftest import demo_process

HEADROOM = str(Path(sys.executable).parent / "headroom")
DENIED = "ap-southeast-2"
Check = Callable[..., Result]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with demo_process() as (_, address):
        yield address


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a configuration, and an environment without one."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("AWS_", "HEADROOM_"))]:
        monkeypatch.delenv(name)
    return tmp_path


def headroom(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def written(folder: Path, text: str) -> str:
    (folder / "own.yaml").write_text(text)
    return str(folder / "own.yaml")


def environment(url: str, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-west-1",
        **more,
    }


@pytest.fixture
def check(url: str, elsewhere: Path) -> Check:
    """Runs `headroom check` in this process against the demo's AWS; only SQS, unless told."""

    def run(*arguments: str, config: str = "services: [sqs]", **variables: str) -> Result:
        command = ["check", "--config", written(elsewhere, config), *arguments]
        return CliRunner().invoke(app, command, env=environment(url, **variables), catch_exceptions=False)

    return run


def real_check(url: str, folder: Path, config: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The same as a command of its own."""
    command = [HEADROOM, "check", "--config", written(folder, config)]
    env = environment(url, **variables)
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def series(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.stdout)["series"]
    return found


# Exit codes


def row(zone: Zone) -> Row:
    return Row(
        key=Key("123456789012", "eu-west-1", "kinesis", "stream_write_bytes", zone.word),
        zone=zone,
        usage=None,
        at_most=None,
        limit=None,
        source=None,
        unit="bytes/s",
        utilization=None,
        refused=None,
        sampled=None,
        unobservable=None,
    )


REFUSED = ["ListStreams: no (AccessDenied)"]


@pytest.mark.parametrize(
    ("zones", "failures", "codes"),
    [  # codes for above, critical, saturated, none
        ([], [], (2, 2, 2, 2)),
        ([], REFUSED, (2, 2, 2, 2)),
        ([Zone.STALE, Zone.UNOBSERVABLE], REFUSED, (2, 2, 2, 2)),
        ([Zone.STALE], [], (0, 0, 0, 0)),
        ([Zone.UNOBSERVABLE], [], (0, 0, 0, 0)),
        ([Zone.BELOW], [], (0, 0, 0, 0)),
        ([Zone.WITHIN, Zone.BELOW], REFUSED, (0, 0, 0, 0)),
        ([Zone.ABOVE, Zone.WITHIN], [], (1, 0, 0, 0)),
        ([Zone.ABOVE, Zone.CRITICAL], REFUSED, (1, 1, 0, 0)),
        ([Zone.SATURATED, Zone.BELOW, Zone.UNOBSERVABLE], [], (1, 1, 1, 0)),
    ],
)
def test_the_exit_code_is_that_of_the_worst_series(
    zones: list[Zone], failures: list[str], codes: tuple[int, ...]
) -> None:
    report = Report([row(zone) for zone in zones], failures)
    limits = ("above", "critical", "saturated", "none")
    assert tuple(outcome(report, fail_on) for fail_on in limits) == codes


@pytest.mark.parametrize(
    ("arguments", "config", "code"),
    [
        ([], "services: [sqs]", 1),  # orders.fifo is at its limit
        (["--fail-on", "none"], "services: [sqs]", 0),
        (["--fail-on", "saturated"], "services: [sqs]", 0),  # CloudWatch does not show what SQS refuses
        (["--signal", "standard_in_flight"], "services: [sqs]", 0),
        ([], f"{{services: [sqs], regions: [{DENIED}]}}", 2),
        (["--fail-on", "none"], f"{{services: [sqs], regions: [{DENIED}]}}", 2),
    ],
)
def test_it_ends_with_the_exit_code(arguments: list[str], config: str, code: int, check: Check) -> None:
    assert check(*arguments, config=config).exit_code == code


# Output


def test_a_real_command_that_is_piped_prints_no_colours_and_no_progress_bar(
    url: str, elsewhere: Path
) -> None:
    """What was refused is below the table, and only there."""
    result = real_check(url, elsewhere, f"{{services: [sqs], regions: [eu-west-1, {DENIED}]}}")
    assert result.returncode == 1
    assert result.stderr == ""
    assert "\x1b" not in result.stdout
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["zone", "utilization", "usage", "limit"]
    assert any("sqs.fifo_message_rate_batched" in line and "orders.fifo" in line for line in lines)
    refused = result.stdout.partition("AWS refused or failed\n")[2]
    assert f"123456789012/{DENIED} sqs: ListQueues: " in refused


def test_a_real_command_that_is_kept_out_says_why_in_one_line(url: str, elsewhere: Path) -> None:
    account = {"name": "prod", "role_arn": "arn:aws:iam::210987654321:role/headroom", "regions": [DENIED]}
    result = real_check(url, elsewhere, json.dumps({"accounts": [account]}), AWS_REGION="")
    assert result.returncode == 2
    assert "account prod: AssumeRole: User is not authorized" in result.stdout
    assert len(result.stderr.splitlines()) == 1


def test_json_is_one_document(check: Check) -> None:
    result = check("--format", "json")
    assert {one["service"] for one in series(result)} == {"sqs"}
    assert result.stderr == ""


def test_csv_has_a_record_for_each_series(check: Check) -> None:
    records = list(csv.DictReader(io.StringIO(check("--format", "csv").stdout)))
    assert list(records[0]) == list(FIELDS)
    assert "orders.fifo" in {one["resource"] for one in records}


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
    ],
)
def test_only_what_is_asked_for_is_shown(
    arguments: list[str], label: str, values: set[str], check: Check
) -> None:
    config = "{services: [sqs, s3], regions: [eu-west-1, us-east-1], accounts: [{name: mine}]}"
    seen = series(check("--format", "json", *arguments, config=config))
    assert {one[label] for one in seen} == values


def test_to_ask_for_what_is_not_there_is_no_success(check: Check) -> None:
    result = check("--account", "210987654321")
    assert result.exit_code == 2
    assert "There is nothing to watch, or nothing of what was asked for." in result.stdout


def test_to_ask_for_what_cannot_be_there_is_a_mistake_told_before_aws_is_asked(elsewhere: Path) -> None:
    result = headroom("check", "--service", "kinesiss", "--signal", "stream_write_byte")
    assert result.exit_code == 2
    assert "found 'kinesiss'; did you mean kinesis?" in result.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"AWS_REGION": ""},
            "no region is set: name one in `regions` of the configuration, or in AWS_REGION",
        ),
        ({"AWS_ACCESS_KEY_ID": ""}, "Unable to locate credentials"),
        ({"AWS_PROFILE": "absent"}, "The config profile (absent) could not be found"),
    ],
)
def test_what_keeps_it_out_is_said_and_exits_with_2(
    variables: dict[str, str], said: str, check: Check
) -> None:
    result = check(**variables)
    assert result.exit_code == 2
    assert f"account default: {said}" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_on_a_terminal_there_is_a_progress_bar_and_ctrl_c_ends_it_at_once(url: str, elsewhere: Path) -> None:
    """The terminal is a real one; the bar is on it before AWS answered everything."""
    ours, theirs = pty.openpty()
    command = [HEADROOM, "check", "--config", written(elsewhere, "regions: [eu-west-1, us-east-1]")]
    env = environment(url, TERM="xterm-256color", COLUMNS="200")
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        shown = ""
        while "Looking" not in shown:
            shown += os.read(ours, 4096).decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        os.close(ours)
