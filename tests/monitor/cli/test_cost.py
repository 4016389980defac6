"""`headroom cost`: its exit codes, and the values that `--what-if` rejects."""

from pathlib import Path

import pytest

from tests.aws_environment import set_aws_environment
from tests.monitor.cli.invocation import headroom, write_config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max_interval=2h", "expected at most 3600, found 7200"),
        ("max_interval=soon", "expected a duration"),
        ("max_intervall=1h", "unknown key max_intervall; did you mean max_interval"),
        ("stream=kinesiss", "unknown service kinesiss"),
        ("hourly", "unknown key hourly"),
    ],
)
def test_an_invalid_value_of_what_if_is_rejected(text: str, expected: str) -> None:
    result = headroom("cost", "--what-if", text)
    assert result.exit_code == 2
    assert expected in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("services", "code"),
    [
        # All calls are denied: STS makes none, and ECR has series of the account.
        ("sts, ecr", 2),
        ("sts, ecr, route53", 3),  # calls about global services are allowed
        ("sts", 0),  # no read failed
    ],
)
def test_the_exit_code_tells_that_nothing_or_not_everything_could_be_read(
    services: str,
    code: int,
    aws_environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    set_aws_environment(monkeypatch, aws_environ)
    config = write_config(tmp_path, f"{{regions: [ap-southeast-2], services: [{services}]}}")
    result = headroom("cost", "--config", config)
    assert result.exit_code == code, result.output
    assert ("Nothing could be read" in result.stderr) == (code == 2)
