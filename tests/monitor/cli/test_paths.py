"""`headroom paths` with the responses of an API on loopback, and the discovery in the demo's AWS."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rules.path_file import parse_paths
from tests.monitor.cli.invocation import headroom, write_config
from tests.monitor.cli.test_coverage import api_server

LIMIT: dict[str, Any] = {
    "hop": 1,
    "series": "6d963b0a5206aff0",
    "account": "123456789012",
    "region": "eu-west-1",
    "service": "dynamodb",
    "signal": "table_write_capacity",
    "resource": "orders",
    "title": "Write units",
    "zone": "above",
    "usage": 400.0,
    "limit": 500.0,
    "inferred": False,
    "unit": "write units/s",
    "per_request": 4.0,
    "capacity": 125.0,
    "used": True,
    "throttled": 0.0,
    "reason": "",
}
ACCOUNT_LIMIT = LIMIT | {
    "hop": 0,
    "service": "apigateway",
    "signal": "account_throttle_rate",
    "resource": "",
    "unit": "requests/s",
    "per_request": None,
    "capacity": None,
    "used": None,
}
PATH: dict[str, Any] = {
    "name": "checkout",
    "unit": "requests",
    "zone": "above",
    "flow": 100.0,
    "capacity": 125.0,
    "at_most": True,
    "headroom": 25.0,
    "weakest": LIMIT,
    "next": None,
    "payload": {"bytes": 409600, "what": "an item has at most 400 KB", "source": "https://x"},
    "reasons": ["API Gateway api: no\x1bsample"],
}
HOP: dict[str, Any] = {
    "name": "api",
    "service": "apigateway",
    "resource": "shop/prod",
    "unit": "requests",
    "per_request": 1.0,
    "known": False,
    "limits": [ACCOUNT_LIMIT],
}
HOPS = [HOP, HOP | {"name": "orders", "known": True, "limits": [LIMIT]}, HOP | {"name": "shop", "limits": []}]
DETAIL = PATH | {"hops": HOPS}


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ((), "/api/v1/paths"),
        (("show",), "/api/v1/paths"),
        (("a b",), "/api/v1/paths/a%20b"),
        (("show", "show"), "/api/v1/paths/show"),
        (("show", "discover"), "/api/v1/paths/discover"),
    ],
)
def test_the_word_show_may_be_left_out(arguments: tuple[str, ...], path: str) -> None:
    with api_server({"items": [], "total": 0}) as (address, paths):
        result = headroom("paths", *arguments, "--address", address)
    assert result.exit_code == 0, result.output
    assert paths == [path]
    assert result.stdout.startswith("No request path is evaluated")


def test_the_list_has_a_line_for_each_path_and_for_each_reason_why_something_is_not_known() -> None:
    with api_server({"items": [PATH], "total": 1}) as (address, _):
        lines = headroom("paths", "--address", address).stdout.splitlines()
    assert lines[0].split() == ["path", "now", "carries", "room", "weakest", "limit", "then"]
    assert "100 requests/s" in lines[1] and "at most 125 requests/s" in lines[1] and "+25 %" in lines[1]
    assert "dynamodb.table_write_capacity orders in eu-west-1" in lines[1]
    assert lines[3] == "Not known; a path may therefore carry less than shown:"
    assert "\x1b" not in lines[4]


def test_a_path_has_a_line_for_each_limit() -> None:
    with api_server(DETAIL) as (address, paths):
        result = headroom("paths", "checkout", "--address", address)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert paths == ["/api/v1/paths/checkout"]
    assert lines[0] == "checkout: 100 requests/s now; carries at most 125 requests/s +25 %"
    assert lines[1] == "largest payload: 400 KiB (an item has at most 400 KB)"
    assert lines[3].endswith("400 of 500 requests/s not known not known")
    assert lines[4].endswith("400 of 500 write units/s 4 write units 125 requests/s, the weakest")
    assert lines[5] == "3 shop apigateway shop/prod 1 request not known"


def test_json_is_the_response() -> None:
    with api_server(DETAIL) as (address, _):
        result = headroom("paths", "checkout", "--address", address, "--format", "json")
    assert json.loads(result.stdout) == DETAIL


def test_an_unreachable_server_is_reported_in_one_line() -> None:
    result = headroom("paths", "--address", "127.0.0.1:9")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


CONFIG = """
regions: [eu-west-1, us-east-1]
services: [alb, apigateway, lambda, s3, sqs, autoscaling]
"""


@pytest.fixture
def demo(aws_environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment variables that name the demo's AWS. It denies all calls in ap-southeast-2."""
    for name, value in aws_environ.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("demo")
def test_the_paths_of_the_demo_are_discovered_and_their_file_is_valid(tmp_path: Path) -> None:
    result = headroom("paths", "discover", "--config", write_config(tmp_path, CONFIG))
    assert (result.exit_code, result.stderr) == (0, "")
    path_file = parse_paths(result.stdout.encode(), "paths.yaml")
    assert path_file.problems == [] and path_file.model
    resources_of_paths = {tuple(hop.resource for hop in path.ordered_hops) for path in path_file.model.paths}
    assert resources_of_paths >= {
        ("storefront/prod", "checkout"),
        ("media-uploads/uploads/", "thumbnails"),
        ("thumbnails", "image-resize"),
        ("app/shop-us/7c1d5e90a2b34f68", "web-us"),
    }
    (tmp_path / "paths.yaml").write_text(result.stdout)
    check = headroom("config", "check", "--config", write_config(tmp_path, "path_files: [paths.yaml]"))
    assert check.exit_code == 0, check.output


@pytest.mark.usefixtures("demo")
def test_denied_reads_of_discovery_are_reported_and_exit_with_3(tmp_path: Path) -> None:
    services = "services: [alb, lambda, s3, sqs, autoscaling]"
    config = write_config(tmp_path, f"regions: [eu-west-1, ap-southeast-2]\n{services}\n")
    result = headroom("paths", "discover", "--config", config)
    assert result.exit_code == 3
    failures = result.stderr.splitlines()
    assert len(failures) == 3
    assert all(failure.startswith("123456789012/ap-southeast-2: ") for failure in failures)
    assert parse_paths(result.stdout.encode(), "paths.yaml").model


@pytest.mark.usefixtures("demo")
def test_discovery_exits_with_2_if_no_call_succeeded(tmp_path: Path) -> None:
    config = write_config(tmp_path, "{regions: [ap-southeast-2], services: [alb, lambda]}")
    result = headroom("paths", "discover", "--config", config)
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(failure.startswith("123456789012/ap-southeast-2: ") for failure in result.stderr.splitlines())


def test_the_policy_allows_the_discovery_only_with_the_option_paths(tmp_path: Path) -> None:
    config = write_config(tmp_path, CONFIG)
    action = "lambda:ListEventSourceMappings"
    assert action not in headroom("iam-policy", "--config", config).stdout
    assert action in headroom("iam-policy", "--paths", "--config", config).stdout
