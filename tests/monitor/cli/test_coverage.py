"""`headroom coverage`, which prints the responses of an API on loopback."""

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from tests.monitor.cli.invocation import headroom

QUOTA: dict[str, Any] = {
    "account": "123456789012",
    "region": "eu-west-1",
    "service_code": "wafv2",
    "code": "L-2EC3DE7B",
    "name": "=Web ACLs | regional",
    "value": 1000.0,
    "source": "quota_applied",
    "adjustable": True,
    "state": "not_enabled",
    "reason": "Its signal is read on request only.",
    "enable": "signals: {enabled: [wafv2.acls]}",
    "signals": ["wafv2.acls", "wafv2.more"],
    "monthly_dollars": None,
    "cost_note": "It depends on the brokers.",
    "note": "",
}
WITHOUT_USAGE = QUOTA | {
    "code": "L-00000001",
    "value": None,
    "state": "no_usage_source",
    "enable": "",
    "signals": [],
}
WATCHED = QUOTA | {
    "code": "L-00000002",
    "state": "watched",
    "enable": "",
    "monthly_dollars": 0.0876,
    "cost_note": "",
}
WATCHED_FOR_FREE = WATCHED | {"code": "L-00000003", "monthly_dollars": 0.0}
COVERAGE: dict[str, Any] = {
    "items": [QUOTA, WITHOUT_USAGE, WATCHED, WATCHED_FOR_FREE],
    "total": 4,
    "states": {"not_enabled": 1, "no_usage_source": 1, "watched": 2},
    "monthly_dollars": 0.0876,
    "unknown_costs": 1,
    "notes": [],
    "unread": ["prod/eu-west-1: ListServiceQuotas of ec2: denied (AccessDenied)"],
}


@contextmanager
def api_server(response: Mapping[str, Any], status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """Run an API that gives all requests one response; yield its address and the requested paths."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            body = json.dumps(response).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", paths
        finally:
            server.shutdown()
            thread.join()


def output_of(format: str, response: Mapping[str, Any] = COVERAGE) -> str:
    """Return the output of the command for a response of the API."""
    with api_server(response) as (address, _):
        result = headroom("coverage", "--address", address, "--format", format)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_table_has_a_line_for_each_quota_and_a_line_of_totals() -> None:
    header, first, second, third, fourth, total, unread = output_of("table").splitlines()
    assert header.split() == ["state", "quota", "value", "where", "reason", "enable", "$/month"]
    assert "not enabled" in first and "wafv2 L-2EC3DE7B" in first and "1,000" in first
    assert "no usage source" in second and " - " in second
    assert "It depends on the brokers." in first
    assert [line.split()[-1] for line in (first, second, third, fourth)] == ["depends", "-", "0.09", "0"]
    assert total == (
        "4 quotas: 1 not enabled, 1 no usage source, 2 watched; "
        "watching them costs $0.09 a month, without the 1 whose cost depends on settings or resources"
    )
    assert unread == "Not read: prod/eu-west-1: ListServiceQuotas of ec2: denied (AccessDenied)"


def test_a_table_without_quotas_says_that_none_is_known() -> None:
    no_quotas = {
        **COVERAGE,
        "items": [],
        "total": 0,
        "states": {},
        "unread": ["prod/eu-west-1: not read yet"],
    }
    assert output_of("table", no_quotas).splitlines() == [
        "No quota of a service in use is known.",
        "Not read: prod/eu-west-1: not read yet",
    ]


def test_at_most_twenty_unread_places_are_listed_and_the_rest_are_counted() -> None:
    many_unread = {**COVERAGE, "unread": [f"region {number}" for number in range(100)]}
    assert (
        output_of("markdown", many_unread).splitlines()[-1] == "Not read: 80 more; the format json lists all"
    )


def test_json_is_the_response() -> None:
    assert json.loads(output_of("json")) == COVERAGE


def test_csv_has_no_cell_that_a_spreadsheet_evaluates() -> None:
    first, second, third, _ = csv.DictReader(output_of("csv").splitlines())
    assert (first["monthly_dollars"], third["monthly_dollars"]) == ("", "0.0876")
    assert (first["name"], first["value"]) == ("'" + QUOTA["name"], "1000.0")
    assert first["signals"] == "wafv2.acls wafv2.more"
    assert (second["value"], second["signals"]) == ("", "")


def test_markdown_escapes_the_column_separator_in_names() -> None:
    lines = output_of("markdown").splitlines()
    assert "\\|" in lines[2]  # the first quota, below the header and the line of dashes
    assert lines[7].startswith("4 quotas")
    assert lines[-1].startswith("Not read: prod")


def test_the_note_of_a_quota_replaces_its_reason_while_account_notes_go_to_stderr() -> None:
    watched = QUOTA | {"state": "watched", "reason": "", "note": "AWS's report tells more."}
    response = {**COVERAGE, "items": [watched, WITHOUT_USAGE], "notes": ["1: AWS's report is not permitted"]}
    response["total"] = 2
    with api_server(response) as (address, _):
        result = headroom("coverage", "--address", address)
    assert "AWS's report tells more." in result.stdout.splitlines()[1]
    assert result.stderr == "1: AWS's report is not permitted\n"


def test_filters_are_sent_to_the_api_and_quotas_beyond_the_response_are_counted() -> None:
    with api_server(COVERAGE | {"total": 20_000}) as (address, paths):
        options = ("--state", "stale", "--service-code", "a&b", "--text", "ACLs", "--region", "eu-west-1")
        result = headroom("coverage", "--address", address, *options)
    assert paths == ["/api/v1/coverage?state=stale&service_code=a%26b&text=ACLs&region=eu-west-1"]
    assert result.stderr.startswith("19,996 more quotas are not shown")


def test_without_a_running_headroom_the_exit_code_is_2() -> None:
    result = headroom("coverage", "--address", "127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (2, "")
