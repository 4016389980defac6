"""`headroom lookback` against the simulated AWS, whose past has a few episodes above the band."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.commands import app
from tests.monitor.cli.invocation import headroom, write_config
from tests.processes import ROOT

DENIED_REGION = "ap-southeast-2"  # the simulated AWS denies all calls in this region
COMMAND = "from monitor.cli.main import main; main()"
HIGH_PRICES = "prices: {aws: {per_1000_metrics: 5000}}"  # so that every look back costs more than a dollar
RunLookback = Callable[..., Result]


def environment(aws_url: str) -> dict[str, str]:
    """Return the environment variables of a command that calls the simulated AWS."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": aws_url,
    }


@pytest.fixture
def lookback(aws_url: str, empty_folder: Path) -> RunLookback:
    """A function that runs `headroom lookback` on services of the simulated AWS.

    yaml: further lines of the configuration.
    """

    def run(*arguments: str, services: str = "lambda", region: str = "eu-west-1", yaml: str = "") -> Result:
        config = write_config(empty_folder, f"services: [{services}]\nregions: [{region}]\n{yaml}")
        return CliRunner().invoke(app, ["lookback", "-c", config, *arguments], env=environment(aws_url))

    return run


def report_of(result: Result) -> dict[str, Any]:
    """Return the report that a command printed as JSON."""
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def episodes_of(report: dict[str, Any], signal: str, resource: str) -> list[dict[str, Any]]:
    """Return the episodes of one signal of a resource in a report."""
    return [item for item in report["items"] if (item["signal"], item["resource"]) == (signal, resource)]


def test_lookback_finds_past_episodes_and_the_notices_that_would_have_been_sent(
    lookback: RunLookback,
) -> None:
    result = lookback("--days", "4", "--format", "json")
    assert result.exit_code == 0, result.stderr
    report = report_of(result)
    (episode,) = episodes_of(report, "function_reserved_concurrency", "nightly-report")
    assert (
        15 <= episode["minutes"] <= 26
    )  # its demand is higher for 26 minutes, and throttled in most of them
    assert episode["throttled_minutes"] > 10
    assert episode["throttled_demand"] > 100
    assert episode["alert"]["severity"] == "critical"
    assert episode["forecast_made"] is False  # less than two days of history precede the episode
    notices = [notice for notice in report["ways"][0]["notices"] if notice["resource"] == "nightly-report"]
    assert notices[-1]["kind"] == "resolved"
    assert {"firing", "worsened"} & {notice["kind"] for notice in notices}
    assert report["forecasts"]["series_days"] > 0
    assert report["cost_dollars"] == pytest.approx(report["metrics_requested"] * 0.00001)


def test_the_price_of_reading_is_printed(lookback: RunLookback) -> None:
    result = lookback("--days", "1", "--signal", "function_*")
    assert "Reading 1 days of" in result.stderr
    assert "list price of GetMetricData" in result.stderr


def test_without_a_terminal_a_price_above_a_dollar_needs_the_option_yes(lookback: RunLookback) -> None:
    result = lookback("--days", "1", yaml=HIGH_PRICES)
    assert result.exit_code == 2
    assert "repeat it with --yes" in result.stderr
    assert not result.stdout
    result = lookback("--days", "1", "--yes", yaml=HIGH_PRICES)
    assert result.exit_code == 0
    assert "episode" in result.stdout


@pytest.mark.parametrize(("answer", "code", "is_read"), [("y", 0, True), ("n", 2, False)])
def test_in_a_terminal_the_user_is_asked_before_more_than_a_dollar_is_spent(
    aws_url: str, empty_folder: Path, answer: str, code: int, is_read: bool
) -> None:
    config = write_config(empty_folder, f"services: [sqs]\nregions: [us-east-1]\n{HIGH_PRICES}\n")
    terminal, stdin = pty.openpty()
    os.write(terminal, f"{answer}\n".encode())
    try:
        result = subprocess.run(
            [sys.executable, "-c", COMMAND, "lookback", "-c", config, "--days", "1"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment(aws_url)},
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(stdin)
        os.close(terminal)
    assert result.returncode == code, result.stderr
    assert "Read it?" in result.stderr
    assert bool(result.stdout) == is_read


def test_series_are_judged_by_the_configuration_and_by_each_given_band_and_duration(
    lookback: RunLookback,
) -> None:
    result = lookback(
        "--days", "2", "--format", "json", "--band", "0.1-0.2", "--for", "30m", region="us-east-1"
    )
    ways = report_of(result)["ways"]
    assert [way["name"] for way in ways] == ["as configured", "band 10-20 %", "for 30 min"]
    as_configured, with_lower_band, with_longer_for = (sum(way["alerts"].values()) for way in ways)
    assert with_longer_for < as_configured
    assert with_lower_band != as_configured


def test_the_table_has_series_and_episodes_and_alerts_and_limitations(lookback: RunLookback) -> None:
    output = lookback("--days", "2").stdout
    for text in (
        "of throttling",
        "Series with episodes",
        "The worst episode of each series",
        "Alerts that would have fired",
        "AWS's APIs do not tell limits of the past",
        "thumbnails",
    ):
        assert text in output, text


def test_html_is_one_document_without_scripts(lookback: RunLookback) -> None:
    page = lookback("--days", "1", "--format", "html").stdout
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "thumbnails" in page
    assert "Alerts that would have fired" in page


def test_beyond_15_days_points_of_five_minutes_are_read(lookback: RunLookback) -> None:
    result = lookback("--days", "16", "--format", "json", services="sqs", region="us-east-1")
    report = report_of(result)
    assert any("means of 5 minutes" in note for note in report["notes"])
    assert episodes_of(report, "standard_in_flight", "thumbnails")


def test_a_denied_region_is_reported_and_the_other_region_is_read(lookback: RunLookback) -> None:
    result = lookback("--days", "1", "--format", "json", services="sqs", region=f"eu-west-1, {DENIED_REGION}")
    assert result.exit_code == 3
    report = report_of(result)
    assert episodes_of(report, "fifo_message_rate_batched", "orders.fifo")
    assert any(DENIED_REGION in failure for failure in report["failures"])


def test_a_lookback_with_all_reads_denied_exits_with_2(lookback: RunLookback) -> None:
    result = lookback("--days", "1", services="sqs", region=DENIED_REGION)
    assert result.exit_code == 2
    assert "found no series whose past can be read" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--days", "64"], "less than or equal to 63"),
        (["--band", "0.8-0.5"], "low < high < near"),
        (["--band", "0.5"], "expected a band such as 0.5-0.8"),
        (["--band", "half-all"], "expected a band such as 0.5-0.8"),
        (["--for", "soon"], "duration"),
        (["--for", "2d"], "at most a day"),
    ],
)
def test_invalid_arguments_are_rejected_before_aws_is_read(arguments: list[str], text: str) -> None:
    result = headroom("lookback", *arguments)
    assert result.exit_code == 2
    assert text in " ".join(result.stderr.replace("│", " ").split())
