"""The command line, for commands that do not call AWS."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from collectors.builtin_services import builtin_services
from monitor.cli.commands import MODULES, app
from monitor.cli.config_file import ListenOptions
from monitor.cli.main import probed_address
from monitor.config.config import Config
from monitor.lib.version import VERSION
from monitor.schema.problems import ConfigError
from tests.monitor.cli.invocation import headroom, write_config
from tests.own_services import write_own_files
from tests.registries import REGISTRY

HEADROOM = str(Path(sys.executable).parent / "headroom")


def test_the_version_is_printed() -> None:
    result = headroom("--version")
    assert (result.exit_code, result.output) == (0, f"headroom {VERSION}\n")


def commands(group: Any, *names: str) -> Iterator[tuple[str, ...]]:
    """Yield every command of a group as a tuple of its words. names: the words of the group."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, *names, name)
        else:
            yield *names, name


ALL_COMMANDS = [*commands(get_command(app))]


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=" ".join)
def test_the_help_of_every_command_has_an_example(command: tuple[str, ...]) -> None:
    for option in ("--help", "-h"):
        result = headroom(*command, option)
        assert result.exit_code == 0
        assert f"Usage: root {' '.join(command)}" in result.output
        assert f"Example: headroom {' '.join(command)}" in result.output


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=" ".join)
def test_no_word_of_a_help_is_broken_or_cut_at_80_columns(command: tuple[str, ...]) -> None:
    help_text = headroom(*command, "--help").output
    assert max(map(len, help_text.splitlines())) <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in help_text
    rows = [re.sub("[<>]=", "", line) for line in help_text.splitlines() if line.startswith("│")]
    for row in rows:
        assert row.count("<") == row.count(">"), row  # a word such as <table|json> is in one row


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=" ".join)
def test_each_line_of_a_help_is_filled_at_80_columns(command: tuple[str, ...]) -> None:
    description = headroom(*command, "--help").output.partition("╭")[0]
    for paragraph in re.split(r"\n *\n", description):
        for line, next_line in pairwise(paragraph.strip().splitlines()):
            next_word = next_line.split()[0]
            assert len(f"{line.strip()} {next_word}") > 78  # a margin of one column at each side


@pytest.mark.parametrize(
    "group", [(), *((name,) for name in ("alerts", "catalogue", "config", "dashboards", "stream"))], ids=str
)
def test_a_group_of_commands_lists_its_commands(group: tuple[str, ...]) -> None:
    help_text = headroom(*group, "--help").output
    assert ("--install-completion" in help_text) == (not group)
    listed_names = re.findall(r"^│ ([a-z][a-z-]*)", help_text, re.M)
    expected_names = {words[len(group)] for words in ALL_COMMANDS if words[: len(group)] == group}
    assert {*listed_names} == expected_names
    table = help_text.partition(" Commands ")[2].partition("╰")[0]
    assert table.count("\n│") == len(expected_names)  # each command has one line at 80 columns


def lazy_commands(group: Any) -> Iterator[tuple[str, str]]:
    """Yield the listed summary and the help of each lazy command."""
    for name, lazy in getattr(group, "lazy_commands", {}).items():
        command = group.get_command(None, name)
        yield lazy.summary, command.help
        yield from lazy_commands(command)


def test_the_summary_of_a_command_is_the_first_paragraph_of_its_help() -> None:
    summaries_and_helps = [*lazy_commands(get_command(app))]
    assert summaries_and_helps
    for summary, help_text in summaries_and_helps:
        first_paragraph = help_text.partition("\n\n")[0]
        assert summary == " ".join(first_paragraph.split())


def test_headroom_without_a_command_shows_the_help() -> None:
    assert "Usage: " in headroom().output


def test_an_unknown_command_or_option_is_an_error_without_a_traceback() -> None:
    for arguments in (["chek"], ["check", "--formt", "json"], ["check", "--format", "xml"]):
        result = headroom(*arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [["check"], ["iam-policy"], ["config", "check"], ["serve"]], ids=" ".join)
def test_an_invalid_configuration_is_reported_with_one_line_for_each_problem(
    command: list[str], empty_folder: Path
) -> None:
    file = write_config(empty_folder, "regoins: [eu-west-1]\nband: {low: 2}\n")
    result = headroom(*command, "--config", file)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"{file}: band.low: expected at most 1, found 2",
        f"{file}: regoins: unknown key; did you mean regions?",
    ]


@pytest.mark.parametrize(
    "command", [["catalogue"], ["check"], ["iam-policy"], ["config", "check"], ["serve"]], ids=" ".join
)
def test_an_invalid_file_in_the_users_catalogue_is_reported_with_one_line_for_each_problem(
    command: list[str], empty_folder: Path
) -> None:
    (empty_folder / "catalogue.d" / "rules").mkdir(parents=True)
    (empty_folder / "catalogue.d" / "rules" / "ours.yaml").touch()
    result = headroom(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.partition(", found")[0] for line in result.stderr.splitlines()] == [
        "catalogue.d/rules/ours.yaml:1: file: expected a mapping of service, title, family, console, "
        "quota_services, bounded_by, prices, signals",
        "catalogue.d/rules/ours.yaml:1: file: expected a second file catalogue.d/collectors/ours.yaml",
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["catalogue"],
        ["iam-policy"],
        ["config", "example"],
        ["config", "schema"],
        ["stream", "setup", "--format", "terraform"],
        ["dashboards", "prometheus", "--out", "out"],
        ["dashboards", "grafana", "--out", "out"],
        ["dashboards", "docs", "--out", "out"],
    ],
    ids=" ".join,
)
def test_a_command_finds_the_users_services_beside_its_configuration(
    command: list[str], empty_folder: Path
) -> None:
    write_own_files(empty_folder / "etc" / "catalogue.d")
    result = headroom(*command, "--config", write_config(empty_folder / "etc", ""))
    files = [path for path in empty_folder.glob("out/**/*") if path.is_file()]
    output = "".join([result.stdout, *(path.read_text() for path in files)])
    assert result.exit_code == 0, result.output
    assert re.search("ours|sns:ListTopics|AWS/SNS", output)


def test_a_missing_configuration_is_reported_in_one_line() -> None:
    result = headroom("config", "check", "--config", "absent.yaml")
    assert (result.exit_code, result.stderr) == (
        2,
        "absent.yaml: cannot be read: No such file or directory\n",
    )


def test_the_configuration_is_read_from_the_current_folder_or_from_the_file_in_the_variable(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = headroom("config", "check")
    assert result.exit_code == 0
    assert result.output.startswith("There is no configuration file: ")
    (empty_folder / "headroom.yaml").write_text("wrong: 1")
    assert headroom("config", "check").exit_code == 2
    file = write_config(empty_folder, "services: [sqs]\nregions: [eu-west-1]")
    monkeypatch.setenv("HEADROOM_CONFIG", file)
    result = headroom("config", "check")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"{file} is valid.",
        "It watches the account of the AWS credentials in eu-west-1: sqs; notifies nobody (no `receivers`).",
    ]


def test_the_example_is_a_valid_configuration(empty_folder: Path) -> None:
    example = headroom("config", "example")
    assert example.exit_code == 0
    (empty_folder / "external-id").write_text("the-external-id")
    (empty_folder / "headroom.yaml").write_text(example.output)
    os.environ["STAGING_EXTERNAL_ID"] = "another-external-id"
    result = headroom("config", "check")
    del os.environ["STAGING_EXTERNAL_ID"]
    assert (result.exit_code, len(result.output.splitlines())) == (0, 2), result.output


def test_the_schema_is_json() -> None:
    assert "regions" in json.loads(headroom("config", "schema").output)["properties"]


def test_a_policy_that_is_too_long_is_printed_in_parts(empty_folder: Path) -> None:
    def actions_of(policy_text: str) -> list[str]:
        return [action for part in json.loads(policy_text)["Statement"] for action in part["Action"]]

    whole_policy = headroom("iam-policy")
    found = re.search("with --part 1 to --part ([0-9]+)", whole_policy.stderr)
    assert found, whole_policy.stderr
    part_count = int(found[1])
    actions_of_parts = []
    for number in range(1, part_count + 1):
        actions_of_parts += actions_of(headroom("iam-policy", "--part", str(number)).stdout)
    assert actions_of_parts == actions_of(whole_policy.stdout)
    assert "A role takes 10 managed policies" in whole_policy.stderr
    result = headroom("iam-policy", "--part", "99")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"expected at most {part_count}, found 99" in " ".join(result.stderr.split())


def test_the_policy_can_be_limited_to_some_services(empty_folder: Path) -> None:
    def statement_ids(*arguments: str) -> list[str]:
        policy = json.loads(headroom("iam-policy", *arguments).stdout)
        return [statement["Sid"] for statement in policy["Statement"]]

    assert statement_ids("--service", "sqs", "--service", "lambda*") == [
        "Headroom",
        "HeadroomLambda",
        "HeadroomSqs",
    ]
    config = write_config(empty_folder, "services: [s3, sqs]")
    assert statement_ids("--config", config, "--service", "s*") == ["Headroom", "HeadroomS3", "HeadroomSqs"]
    result = headroom("iam-policy", "--config", config, "--service", "kinesis")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected services that are configured" in " ".join(result.stderr.split())
    assert headroom("iam-policy", "--service", "sqss").exit_code == 2


def test_the_policy_allows_counting_only_for_the_resources_of_chosen_services(empty_folder: Path) -> None:
    def counted_codes(*arguments: str) -> set[str]:
        policy = json.loads(headroom("iam-policy", *arguments).stdout)
        statements = [part for part in policy["Statement"] if part["Sid"].startswith("HeadroomCounts")]
        return {action.partition(":")[0] for statement in statements for action in statement["Action"]}

    assert counted_codes("--service", "sqs") == set()
    assert counted_codes("--service", "quotas", "--service", "cognito") == {"cognito-idp"}
    # Without --service, the statements of other collectors already allow some of these calls.
    assert {"cognito-idp", "kafka"} <= counted_codes() < counted_codes("--service", "quotas")
    assert "glue" not in counted_codes()
    config = write_config(empty_folder, "services: [sqs, quotas]\nsignals: {quotas: [glue]}")
    # Lake Formation lists some resources of Glue's quotas.
    assert counted_codes("--config", config) == {"glue", "lakeformation"}


def test_the_policy_allows_calls_only_for_the_services_that_are_watched(empty_folder: Path) -> None:
    def allowed_actions(*arguments: str) -> set[str]:
        policy = json.loads(headroom("iam-policy", *arguments).stdout)
        assert policy["Version"] == "2012-10-17"
        return {action for statement in policy["Statement"] for action in statement["Action"]}

    config = write_config(empty_folder, "regions: all\nservices: [s3]\naccounts: [{services: [sqs]}]")
    actions = allowed_actions("--config", config)
    assert {"sqs:ListQueues", "ec2:DescribeRegions", "cloudwatch:GetMetricData"} < actions
    assert "s3:ListAllMyBuckets" not in actions
    actions_without_config = allowed_actions()
    assert {"s3:ListAllMyBuckets", "kinesis:ListStreams"} < actions_without_config - {"ec2:DescribeRegions"}


def test_the_catalogue_has_the_limit_and_remedy_and_documentation_of_every_signal() -> None:
    text = headroom("catalogue").output
    catalogue = json.loads(headroom("catalogue", "--format", "json").output)
    assert len(catalogue["items"]) == catalogue["total"] == len(REGISTRY.signals)
    for known_signal in REGISTRY.signals:
        (entry,) = re.findall(rf"^{re.escape(known_signal.id)}\n((?:  .*\n?)+)", text, re.M)
        assert known_signal.title in entry
        assert "limit: " in entry
        assert "remedy: " in entry
        assert "https://docs.aws.amazon.com/" in entry


def test_the_catalogue_can_be_limited_to_some_services() -> None:
    output = headroom("catalogue", "--format", "json", "--service", "s3", "--service", "sqs").output
    assert {entry["service"] for entry in json.loads(output)["items"]} == {"s3", "sqs"}


def test_the_catalogue_of_an_unknown_service_is_an_error() -> None:
    result = headroom("catalogue", "--service", "s4")
    assert result.exit_code == 2
    assert "found 's4'" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("options", "listen"),
    [
        (ListenOptions(), "127.0.0.1:4070"),
        (ListenOptions(port=0), "127.0.0.1:0"),
        (ListenOptions(host="localhost"), "localhost:4070"),
        (ListenOptions(host="::1", port=4071), "[::1]:4071"),
        (ListenOptions("[::1]:4072"), "[::1]:4072"),
    ],
)
def test_options_of_the_command_line_set_the_listen_address(options: ListenOptions, listen: str) -> None:
    assert options.apply_to(Config()).listen == listen


@pytest.mark.parametrize(
    "options",
    [
        ListenOptions("127.0.0.1:1", port=2),
        ListenOptions("127.0.0.1:1", host="::1"),
        ListenOptions(host=""),
        ListenOptions(host="a b"),
        ListenOptions(host="0.0.0.0"),
    ],
)
def test_an_invalid_listen_address_is_reported_as_one_problem(options: ListenOptions) -> None:
    with pytest.raises(ConfigError) as error:
        options.apply_to(Config())
    assert len(error.value.problems) == 1


def test_commands_connect_to_the_address_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_ADDRESS", "127.0.0.1:1")
    for command in (["alerts", "list"], ["coverage"], ["stream", "dead-letters"], ["healthcheck"]):
        assert headroom(*command).stderr.startswith("127.0.0.1:1: "), command
    assert probed_address(["healthcheck"]) == "127.0.0.1:1"


def test_a_health_check_without_a_server_fails_in_one_line() -> None:
    result = headroom("healthcheck", "--address", "127.0.0.1:1")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


@contextmanager
def one_response_server(response: bytes) -> Iterator[str]:
    """Run a server on loopback that responds to one connection; yield its address."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(response)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", 0),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 1),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 1),
        (b"", 1),
    ],
)
def test_a_health_check_connects_to_the_address_itself_and_never_to_a_proxy(
    response: bytes, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with one_response_server(response) as address:
        result = headroom("healthcheck", "--address", address)
    assert result.exit_code == code
    assert len(result.stderr.splitlines()) == (1 if code else 0)


def run_before_exit(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `headroom` in a new process, which runs a script just before it exits."""
    code = (
        f"import atexit; atexit.register(exec, {script!r}, {{}}); from monitor.cli.main import main; main()"
    )
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def run_and_list_imports(modules: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `headroom` in a new process. The last line of its output lists which of `modules` it imported."""
    return run_before_exit(f"import sys; print(*{{*{modules.split()}}} & sys.modules.keys())", *arguments)


def test_the_help_imports_no_command() -> None:
    script = "import sys; print(*(name for name in sys.modules if name.startswith('monitor.cli.')))"
    result = run_before_exit(script, "--help")
    assert " serve " in result.stdout
    assert {*result.stdout.splitlines()[-1].split()} == {
        "monitor.cli.main",
        "monitor.cli.commands",
        "monitor.cli.lazy_group",
    }


HEAVY_MODULES = "botocore numpy rules collectors.registry http.client aiohttp textual jinja2 fastapi"


@pytest.mark.parametrize("command", [*MODULES, "quota request", "dashboards docs", "config check"])
def test_the_help_of_a_command_imports_none_of_the_libraries_of_the_command(command: str) -> None:
    """The help must appear without a delay."""
    result = run_and_list_imports(HEAVY_MODULES, *command.split(), "--help")
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "")


def test_completion_imports_none_of_the_libraries_of_the_commands() -> None:
    environ = {"_HEADROOM_COMPLETE": "complete_bash", "COMP_WORDS": "headroom c", "COMP_CWORD": "1"}
    code = (
        "import atexit, sys; sys.argv[0] = 'headroom'; "
        f"atexit.register(lambda: print(*{{*{HEAVY_MODULES.split()}}} & sys.modules.keys()));"
        "from monitor.cli.main import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, env=os.environ | environ
    )
    *completions, imported = result.stdout.splitlines()
    assert {"check", "catalogue", "coverage", "cost", "config"} == {*completions}
    assert imported == ""


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder, in which a command has stored the checked declarations."""
    folder = tmp_path_factory.mktemp("cache")
    command = [sys.executable, "-m", "monitor", "config", "schema"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"XDG_CACHE_HOME": str(folder)})
    return folder


DECLARATION_MODULES = "collectors.declaration collectors.expression collectors.lambda_ jmespath"
UNNEEDED_MODULES = (
    "aiobotocore aiohttp aiosmtplib botocore.session fastapi httpx prometheus_client rich textual"
)


@pytest.mark.parametrize(
    ("command", "unneeded_modules"),
    [
        ("--version", "typer pydantic ssl"),
        ("catalogue", f"{UNNEEDED_MODULES} numpy collectors.declaration monitor.config.config"),
        (
            "catalogue --service kinesis",
            f"{UNNEEDED_MODULES} numpy collectors.declaration monitor.config.config",
        ),
        ("config check", f"{UNNEEDED_MODULES} numpy {DECLARATION_MODULES} asyncio ssl email.policy botocore"),
        ("config schema", f"{UNNEEDED_MODULES} numpy {DECLARATION_MODULES}"),
        ("iam-policy", f"{UNNEEDED_MODULES} numpy"),
        ("dashboards prometheus --out .", f"{UNNEEDED_MODULES} collectors.declaration monitor.config.config"),
        ("dashboards grafana --out .", f"{UNNEEDED_MODULES} collectors.declaration monitor.config.config"),
        ("dashboards docs --out .", f"{UNNEEDED_MODULES} numpy monitor.config.config"),
        ("stream setup --format terraform", f"{UNNEEDED_MODULES} numpy monitor.config.config"),
    ],
)
def test_a_command_imports_only_what_it_needs(
    command: str, unneeded_modules: str, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that call nobody import no client; commands for catalogue entries import no declarations."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_folder))
    result = run_and_list_imports(unneeded_modules, *command.split())
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, ""), result.stderr


def test_services_read_without_declarations_equal_the_services_of_the_registry() -> None:
    assert {service.service: service for service in builtin_services()} == {**REGISTRY.services}


@pytest.mark.parametrize(
    "command", ["healthcheck --address 127.0.0.1:1", "healthcheck --address=127.0.0.1:1"]
)
def test_the_health_check_imports_no_module_of_the_server(command: str) -> None:
    """Containers run the health check every few seconds."""
    # The parser of command lines reads `--address=`; `monitor.cli.main` reads the other form itself.
    modules_of_parser = "" if "=" in command else "typer pydantic ssl http.client asyncio json"
    result = run_and_list_imports(f"aiobotocore fastapi numpy rules {modules_of_parser}", *command.split())
    assert "refused" in result.stderr
    assert (result.returncode, result.stdout.strip()) == (1, "")


@pytest.mark.parametrize("command", ["alerts list", "coverage"])
def test_a_command_that_calls_the_api_imports_no_server(command: str) -> None:
    modules = "aiobotocore fastapi numpy rules"
    result = run_and_list_imports(modules, *command.split(), "--address", "127.0.0.1:1")
    assert "refused" in result.stderr
    assert result.stdout.strip() == ""


@pytest.mark.parametrize(("command", "is_enabled"), [("check", True), ("alerts list", False)])
def test_garbage_is_collected_in_long_commands_only(command: str, is_enabled: bool) -> None:
    """Garbage collection during the imports would take a fifth of the start of a short command."""
    options = ("--service", "ecr") if command == "check" else ("--address", "127.0.0.1:1")
    result = run_before_exit("import gc; print(gc.isenabled())", *command.split(), *options)
    assert result.stdout.splitlines()[-1] == str(is_enabled)


@pytest.mark.parametrize("command", ["config check", "alerts list --address 127.0.0.1:1"])
def test_no_garbage_is_collected_when_a_command_exits(command: str) -> None:
    """The interpreter collects all unfrozen objects at its exit, so the command freezes them."""
    result = run_before_exit(
        "import gc; print(len(gc.get_objects()) < gc.get_freeze_count())", *command.split()
    )
    assert result.stdout.splitlines()[-1] == "True"


def test_python_runs_headroom_as_a_module() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "monitor", "--version"], check=False, capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (0, f"headroom {VERSION}\n")
