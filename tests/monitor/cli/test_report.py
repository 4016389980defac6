"""`headroom report` against the simulated AWS."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.commands import app
from tests.aws_environment import CREDENTIALS, clear_environment

DENIED = "ap-southeast-2"  # the simulated AWS denies all calls in this region
RunReport = Callable[..., Result]


@pytest.fixture
def report(aws_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunReport:
    """Return a function that runs `headroom report` in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    clear_environment(monkeypatch, "AWS_", "HEADROOM_")
    env = CREDENTIALS | {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": aws_url}

    def run(*arguments: str, config: str = "services: [sqs]", **variables: str) -> Result:
        (tmp_path / "headroom.yaml").write_text(config)
        return CliRunner().invoke(app, ["report", *arguments], env=env | variables, catch_exceptions=False)

    return run


def test_without_the_option_out_the_report_is_printed(report: RunReport) -> None:
    result = report()
    assert result.exit_code == 0  # although orders.fifo is at its limit: only `headroom check` fails for that
    assert result.stdout.startswith("<!doctype html>") and result.stdout.rstrip().endswith("</html>")
    assert "orders.fifo" in result.stdout
    assert result.stderr == ""


def test_a_report_written_to_a_file_is_not_printed(report: RunReport, tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("an earlier report")
    result = report("--format", "markdown", "--out", "report.md")
    assert (result.exit_code, result.output) == (0, "")
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# AWS limits") and "orders.fifo" in text and "an earlier report" not in text
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "headroom.yaml"}


def test_if_the_option_out_is_a_dash_the_report_is_printed_and_no_file_is_created(
    report: RunReport, tmp_path: Path
) -> None:
    assert report("--format", "markdown", "--out", "-").stdout.startswith("# AWS limits")
    assert not (tmp_path / "-").exists()


def test_a_report_has_only_the_requested_services_and_accounts_and_names_them(report: RunReport) -> None:
    config = "{services: [sqs, s3], accounts: [{name: mine}]}"
    output = report("--service", "s3", "--account", "mine", "--format", "markdown", config=config).stdout
    assert "only service s3, account mine" in output
    assert "for mine" in output.replace("\\", "") and "s3" in output and "orders.fifo" not in output


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("absent/report.html", "No such file or directory"),
        (".", "Is a directory"),
        ("headroom.yaml/report.html", "Not a directory"),
    ],
)
def test_a_file_that_cannot_be_written_is_reported_before_aws_is_read(
    out: str, reason: str, report: RunReport
) -> None:
    result = report("--out", out, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert result.exit_code == 2
    assert result.output == f"headroom cannot write {out}: {reason}\n"


def test_a_report_is_written_even_if_all_reads_fail_and_the_exit_code_is_2(
    report: RunReport, tmp_path: Path
) -> None:
    result = report("--out", "report.html", config=f"{{services: [sqs], regions: [{DENIED}]}}")
    assert result.exit_code == 2
    page = (tmp_path / "report.html").read_text()
    assert "No series could be judged." in page and "ListQueues" in page


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--service", "kinesiss"], "did you mean kinesis?"),
        (["--config", "absent.yaml"], "absent.yaml"),
        (["--format", "pdf"], "pdf"),
    ],
)
def test_invalid_arguments_do_not_change_the_existing_file(
    arguments: list[str], expected: str, report: RunReport, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text("an earlier report")
    result = report("--out", "report.html", *arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert (tmp_path / "report.html").read_text() == "an earlier report"
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "headroom.yaml"}
