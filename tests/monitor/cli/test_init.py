"""`headroom init` against the simulated AWS: the questions, the written file, and missing permissions."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.commands import app
from monitor.cli.init_run import report_contact
from monitor.config.config import Config
from monitor.config.file import read_config
from monitor.report.first_contact import contact
from monitor.schema.types import ConfigContext
from tests.aws_environment import CREDENTIALS, NO_CREDENTIALS, set_aws_environment
from tests.monitor.cli.invocation import headroom
from tests.registries import REGISTRY

ROOT = Path(__file__).parents[3]
ROLE = "arn:aws:iam::210987654321:role/headroom"
DENIED = "ap-southeast-2"  # the simulated AWS denies all calls in this region
# Answers to all questions, as options. A later option of the same name replaces an answer.
ALL_ANSWERS = ("--accounts", "", "--regions", "eu-west-1", "--notify", "")


def init(aws_url: str, *arguments: str, **variables: str) -> Result:
    """Run `headroom init` in this process."""
    environ = CREDENTIALS | {"AWS_ENDPOINT_URL": aws_url} | variables
    return CliRunner().invoke(app, ["init", *arguments], env=environ, catch_exceptions=False)


def test_a_role_that_may_not_be_assumed_is_reported_once_and_the_file_is_written(
    aws_url: str, empty_folder: Path
) -> None:
    result = init(aws_url, *ALL_ANSWERS, "--accounts", ROLE, "--regions", DENIED)
    assert result.exit_code == 2, result.output
    assert result.stderr == "The credentials are of the account 123456789012; no region is set.\n"
    file_text = (empty_folder / "headroom.yaml").read_text()
    assert file_text in result.stdout and f"{{role_arn: {ROLE}}}" in file_text
    assert result.stdout.count("AssumeRole: User is not authorized") == 1
    assert "Let the role's trust policy name the caller" in result.stdout
    assert "  headroom iam-policy > policy.json  # " in result.stdout


def test_a_question_in_a_terminal_is_asked_again_after_an_invalid_answer(
    aws_url: str, empty_folder: Path
) -> None:
    our_end, process_end = pty.openpty()
    answers = [ROLE, "nowhere", DENIED, "https://hooks.slack.com/services/T0/B0/x"]
    env = {"PYTHONPATH": str(ROOT), **CREDENTIALS, "AWS_ENDPOINT_URL": aws_url, "COLUMNS": "40"}
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", "init", "--out", "own.yaml"],
        env=env,
        stdin=process_end,
        stdout=process_end,
        stderr=process_end,
    ) as process:
        os.close(process_end)
        os.write(our_end, "".join(f"{answer}\n" for answer in answers).encode())
        output = b""
        with suppress(OSError):  # raised once the process has closed the terminal
            while chunk := os.read(our_end, 4096):
                output += chunk
        assert process.wait(60) == 2, output
    os.close(our_end)
    text = output.decode()
    assert "--regions: regions[0]: expected an AWS region, found 'nowhere'" in text
    assert "headroom serve --config own.yaml" in text and "Traceback" not in text
    secret_file = empty_folder / "own-receiver-url"
    assert secret_file.stat().st_mode & 0o777 == 0o600
    config = read_config(empty_folder / "own.yaml", {}, REGISTRY)
    assert (config.regions, [receiver.name for receiver in config.receivers]) == ((DENIED,), ["on-call"])


@pytest.mark.parametrize(
    ("arguments", "variables", "sentences"),
    [
        ((), {}, ("give --accounts, --regions, --notify, or --yes",)),
        (
            ("--yes",),
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            ("Unable to locate credentials", "Give Headroom credentials: "),
        ),
        (
            ALL_ANSWERS,
            {"AWS_PROFILE": "absent"},
            ("(absent) could not be found", "Name a profile that exists"),
        ),
        (
            ("--yes",),
            {},
            ("no region is set", "--regions: expected at least one region, or all; found none"),
        ),
        ((*ALL_ANSWERS, "--regions", "eu-wst-1"), {}, ("--regions: regions[0]: expected an AWS region",)),
        ((*ALL_ANSWERS, "--accounts", "123456789012"), {}, ("--accounts: accounts[0].role_arn: expected",)),
        ((*ALL_ANSWERS, "--notify", "me"), {}, ("--notify: receivers[0]",)),
    ],
)
def test_missing_or_invalid_input_is_reported_and_no_file_is_written(
    arguments: tuple[str, ...],
    variables: dict[str, str],
    sentences: tuple[str, ...],
    aws_url: str,
    empty_folder: Path,
) -> None:
    result = init(aws_url, *arguments, **variables)
    assert (result.exit_code, result.stdout) == (2, "")
    for sentence in sentences:
        assert result.stderr.count(sentence) == 1, result.stderr
    assert [*empty_folder.iterdir()] == []


async def test_missing_permissions_include_the_permission_to_read_metrics(
    aws_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aws_environment(monkeypatch, CREDENTIALS | {"AWS_ENDPOINT_URL": aws_url})
    context = ConfigContext(registry=REGISTRY)
    config = {"services": ["sqs", "kafka"], "regions": ["eu-west-1", DENIED]}
    first_contact = await contact(Config.model_validate(config, context=context), REGISTRY, lambda *_: None)
    assert {"sqs:ListQueues", "kafka:ListClustersV2", "cloudwatch:GetMetricData"} <= {*first_contact.denied}
    assert (first_contact.accounts, first_contact.service_count) == (["123456789012"], 2)
    assert first_contact.series_count > 2 and first_contact.dollars > 0


NOTHING_READ = "Nothing could be read: no call to AWS about resources or metrics succeeded."


@pytest.fixture
def contact_report(
    aws_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return a function that reports the first contact; it returns the exit code and the output."""
    set_aws_environment(monkeypatch, CREDENTIALS | {"AWS_ENDPOINT_URL": aws_url})

    def report(**config: list[str]) -> tuple[int, str]:
        settings = Config.model_validate(config, context=ConfigContext(registry=REGISTRY))
        code = report_contact(settings, REGISTRY, Path("headroom.yaml"), allow_blind=False)
        return code, capsys.readouterr().out

    return report


# STS makes no calls of its own, and ECR has series of the account even while all of its calls are denied.
@pytest.mark.parametrize(
    ("services", "region", "expected_code", "sentence"),
    [
        (["sts", "ecr", "sqs"], DENIED, 2, f"{NOTHING_READ}\n"),
        # Calls about global services are allowed.
        (["sts", "ecr", "route53"], DENIED, 3, "1 account can be read: 1 service in use, "),
        # Only metrics are needed, and they can be read.
        (["sts"], "eu-west-1", 0, "1 account can be read: 1 service in use, 1 series. "),
    ],
)
def test_an_account_can_be_read_if_a_call_about_it_succeeded(
    services: list[str],
    region: str,
    expected_code: int,
    sentence: str,
    contact_report: Callable[..., tuple[int, str]],
) -> None:
    code, output = contact_report(services=services, regions=[region])
    assert code == expected_code
    assert output.count(sentence) == 1, output
    assert ("can be read:" in output) == (code != 2)
    assert ("\n- ecr: DescribePullThroughCacheRules" in output) == (code != 0)
    assert ("  headroom iam-policy > policy.json  # " in output) == (code != 0)


def test_an_existing_file_is_not_replaced_without_force(empty_folder: Path) -> None:
    (empty_folder / "headroom.yaml").write_text("regions: [eu-west-1]\n")
    result = headroom("init", "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--force replaces it" in result.stderr
    assert (empty_folder / "headroom.yaml").read_text() == "regions: [eu-west-1]\n"


def test_a_file_that_cannot_be_written_is_printed_with_the_error(aws_url: str, empty_folder: Path) -> None:
    result = init(aws_url, *ALL_ANSWERS, "--out", "absent/headroom.yaml")
    assert result.exit_code == 2
    assert "regions: [eu-west-1]\n" in result.stdout
    sentence = "absent/headroom.yaml cannot be written: No such file or directory; copy it from above.\n"
    assert result.stderr.endswith(sentence)


def test_a_wrong_clock_is_reported_in_one_line_with_the_next_step(empty_folder: Path) -> None:
    message = "Signature expired: 20261130T070000Z is now earlier than 20261130T070500Z"
    error = f"<Error><Code>SignatureDoesNotMatch</Code><Message>{message}</Message></Error>"
    with denying_server(f"<ErrorResponse>{error}</ErrorResponse>") as url:
        result = init(url, *ALL_ANSWERS)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr
    assert f"{message} (SignatureDoesNotMatch). Synchronize the clock by NTP" in result.stderr


@contextmanager
def denying_server(body: str) -> Iterator[str]:
    """Run a server on loopback that answers each POST with status 403 and `body`; yield its URL."""

    class DenyingHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), DenyingHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


SSO_PROFILE = """[profile sso]
sso_session = s
sso_account_id = 123456789012
sso_role_name = reader
region = eu-west-1
[sso-session s]
sso_region = eu-west-1
sso_start_url = https://example.awsapps.com/start
"""


@pytest.mark.parametrize("is_expired", [False, True])
def test_a_missing_or_expired_sso_session_is_reported_in_one_line(
    is_expired: bool, empty_folder: Path
) -> None:
    cache = empty_folder / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (empty_folder / "aws-config").write_text(SSO_PROFILE)
    if is_expired:
        token = {"accessToken": "x", "expiresAt": "2020-01-01T00:00:00Z", "region": "eu-west-1"}
        token["startUrl"] = "https://example.awsapps.com/start"
        (cache / f"{sha1(b's', usedforsecurity=False).hexdigest()}.json").write_text(json.dumps(token))
    env = {
        **NO_CREDENTIALS,
        "AWS_CONFIG_FILE": "aws-config",
        "HOME": str(empty_folder),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "monitor", "init", "--yes", "--profile", "sso"]
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.stderr
    assert ("has expired" if is_expired else "does not exist") in result.stderr
    assert "Log in again with `aws sso login`" in result.stderr


def test_an_unreachable_proxy_is_reported_in_one_line(empty_folder: Path) -> None:
    variables = NO_CREDENTIALS | {"HTTPS_PROXY": "http://127.0.0.1:1", "AWS_REGION": "eu-west-1"}
    variables |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_MAX_ATTEMPTS": "1"}
    result = CliRunner().invoke(app, ["init", "--yes"], env=variables, catch_exceptions=False)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "Check that Headroom reaches the endpoints of AWS: DNS, proxy" in result.stderr
