"""`headroom recommend` with the responses of an API on loopback."""

import json
from typing import Any

from tests.monitor.cli.invocation import headroom
from tests.monitor.cli.test_coverage import api_server

OVERSIZED: dict[str, Any] = {
    "account": "123456789012",
    "region": "us-east-1",
    "service": "kinesis",
    "resource": "clicks",
    "advice": "lower",
    "change": "lower from 8 shards to 5",
    "item": "shard",
    "bought": 8.0,
    "right_size": 5.0,
    "signal": "stream_write_bytes",
    "series_id": "0123456789abcdef",
    "peak_utilization": 0.3,
    "weekly_growth": 0.0,
    "reason": "",
    "monthly_dollars": -32.87,
    "is_maximum": False,
    "price": "$0.015 an hour per shard in us-east-1",
    "price_source": "https://aws.amazon.com/kinesis/data-streams/pricing/",
    "price_read_on": "2026-09-25",
    "command": "aws kinesis update-shard-count --stream-name=clicks",
    "series_ids": ["0123456789abcdef"],
}
WITHOUT_HISTORY = OVERSIZED | {
    "resource": "orders",
    "advice": "unknown",
    "change": "8 shards",
    "right_size": None,
    "peak_utilization": None,
    "reason": "1.0 of 7 days of history",
    "monthly_dollars": None,
    "command": None,
}
RESPONSE: dict[str, Any] = {
    "items": [OVERSIZED, WITHOUT_HISTORY],
    "total": 3,
    "counts": {"raise": 0, "lower": 1, "keep": 0, "unknown": 2},
    "saved_monthly_dollars": 32.87,
    "needed_monthly_dollars": 0.0,
    "unknown_prices": 0,
    "maxima": 0,
}


def test_the_table_has_a_size_and_a_peak_and_a_cost_and_a_command() -> None:
    with api_server(RESPONSE) as (address, paths):
        result = headroom("recommend", "--address", address)
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    assert "kinesis clicks 123456789012/us-east-1 lower from 8 shards to 5 30 % -32.87" in words
    assert "not enough data (8 shards) - - stream_write_bytes (1.0 of 7 days of history)" in words
    assert "aws kinesis update-shard-count --stream-name=clicks" in words
    assert "3 purchases: lower 1, unknown 2" in words
    assert "Saved: $32.87 a month; needed: $0.00 a month, by list price" in words
    assert "1 more is not shown" in result.stderr
    assert paths == ["/api/v1/recommendations?advice=raise&advice=lower&advice=unknown"]


def test_a_maximum_costs_what_is_used_below_it() -> None:
    maximum = OVERSIZED | {"advice": "raise", "monthly_dollars": None, "price": "", "is_maximum": True}
    response = RESPONSE | {"items": [maximum], "total": 1, "counts": {"raise": 1}, "maxima": 1}
    with api_server(response) as (address, _):
        words = " ".join(headroom("recommend", "--address", address).stdout.split())
    assert "30 % as used" in words
    assert "by list price; 1 is a maximum, which costs nothing itself" in words


def test_json_is_the_response_of_the_api() -> None:
    with api_server(RESPONSE) as (address, paths):
        options = ("--format", "json", "--advice", "lower", "--service", "kinesis")
        result = headroom("recommend", "--address", address, *options)
    assert json.loads(result.stdout) == RESPONSE
    assert paths == ["/api/v1/recommendations?service=kinesis&advice=lower"]


def test_the_command_recommend_names_the_address_where_no_server_listens() -> None:
    result = headroom("recommend", "--address", "127.0.0.1:1")
    assert result.exit_code != 0
    assert "127.0.0.1:1" in result.stderr
