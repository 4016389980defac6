"""`headroom what-if` with the responses of an API on loopback."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.monitor.cli.invocation import headroom
from tests.monitor.cli.test_coverage import api_server

REQUEST_COMMAND = (
    "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384"
)
CHANGE_COMMAND = "aws kinesis update-shard-count --stream-name=orders"
ITEM: dict[str, Any] = {
    "id": "0123456789abcdef",
    "account": "123456789012",
    "region": "eu-west-1",
    "service": "lambda",
    "signal": "account_concurrency",
    "resource": "",
    "kind": "quota",
    "is_broken": True,
    "remedy": {"action": "request", "command": REQUEST_COMMAND},
    "words": {
        "breaking_factor": "x1.06",
        "would_use": "283 % of 1k concurrent executions",
        "basis": "peak 943 concurrent executions on 21 Nov 04:30 UTC",
        "to_make_room": "Ask AWS for 5,144 concurrent executions",
    },
}
BROKEN_STREAM = ITEM | {
    "service": "kinesis",
    "signal": "stream_write_bytes",
    "resource": "orders\x1b[31m",
    "kind": "provisioned",
    "remedy": {"action": "change", "command": CHANGE_COMMAND},
}
UNBROKEN_ITEM = ITEM | {"is_broken": False, "remedy": None, "words": ITEM["words"] | {"to_make_room": ""}}
UNKNOWN_ITEM = {name: ITEM[name] for name in ("account", "region", "service", "signal", "resource")}
REQUEST = {
    "summary": "Ask AWS for 5,144 of lambda L-B99A9384.",
    "command": REQUEST_COMMAND,
    "pending_is_enough": False,
}
ANSWER: dict[str, Any] = {
    "summary": "3x the traffic: 2 of 3 series break.",
    "items": [ITEM, BROKEN_STREAM, UNBROKEN_ITEM],
    "total": 3,
    "requests": [REQUEST],
    "requests_total": 1,
    "unknown": [UNKNOWN_ITEM | {"reason": "not enabled"}] * 6,
    "unknown_total": 6,
    "not_carried": [],
    "not_carried_total": 0,
    "notes": ["107 series count things or stored amounts, and are left out."],
}


def output_lines(*options: str, response: dict[str, Any] = ANSWER) -> list[str]:
    """Return the lines that the command prints when the API gives this response."""
    with api_server(response) as (address, _):
        result = headroom("what-if", "--address", address, "--traffic", "3x", *options)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_the_table_has_a_line_for_each_series_followed_by_remedies() -> None:
    header, first, second, third, summary, note, request, request_command, change, change_command, unknown = (
        output_lines()
    )
    assert header.split("  ")[0] == "breaks at"
    assert "x1.06" in first and "lambda.account_concurrency whole account, 123456789012/eu-west-1" in first
    assert "Ask AWS for 5,144" in first and "Ask AWS" not in third
    assert "orders\\x1b[31m" in second
    assert (summary, note) == (ANSWER["summary"], ANSWER["notes"][0])
    assert (request, request_command) == (REQUEST["summary"], f"  {REQUEST_COMMAND}")
    assert (change, change_command) == ("Change yourself:", f"  {CHANGE_COMMAND}")
    assert unknown.startswith("Not known: lambda.account_concurrency of whole account in eu-west-1, ")
    assert unknown.endswith(" and 2 more: not enabled")


def test_a_sufficient_pending_request_is_not_repeated() -> None:
    pending_request = REQUEST | {"pending_is_enough": True}
    response = ANSWER | {"requests": [pending_request], "items": [UNBROKEN_ITEM], "total": 1}
    assert f"  {REQUEST_COMMAND}" not in output_lines(response=response)


def test_json_is_the_response() -> None:
    assert json.loads("\n".join(output_lines("--format", "json"))) == ANSWER


def test_options_are_sent_as_parameters_and_the_number_of_hidden_rows_is_printed() -> None:
    options = ("--match", 'service="a b"', "--match", "region=c", "--region-fails", "a", "--to", "b")
    further_options = ("--limit", "sqs.x=5", "--resource", "q", "--counts", "--top", "7")
    with api_server(ANSWER | {"total": 20}) as (address, paths):
        result = headroom("what-if", "--address", address, *options, *further_options)
    assert parse_qs(urlsplit(paths[0]).query) == {
        "match": ['service="a b"', "region=c"],
        "region_fails": ["a"],
        "to": ["b"],
        "set_limit": ["sqs.x=5"],
        "resource": ["q"],
        "counts": ["true"],
        "limit": ["7"],
    }
    assert result.stderr.startswith("17 more series are not shown")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("set_limit: expected SIGNAL=N, found 'x'", "--limit: expected SIGNAL=N, found 'x'\n"),
        ("region_fails: expected the region that fails", "--region-fails: expected the region that fails\n"),
        ("something else: went wrong", "something else: went wrong\n"),
        ("not ready", "not ready\n"),
    ],
)
def test_an_error_about_a_parameter_names_the_option_of_the_command(error: str, sentence: str) -> None:
    with api_server({"error": error}, 422) as (address, _):
        result = headroom("what-if", "--address", address, "--traffic", "3x")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", sentence)


def test_the_command_exits_with_2_when_no_headroom_listens_at_the_address() -> None:
    result = headroom("what-if", "--address", "127.0.0.1:1", "--traffic", "2")
    assert (result.exit_code, result.stdout) == (2, "")
