"""A real Prometheus scrapes a running demo and evaluates PromQL over it."""

import subprocess
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from collectors.quotas import QUOTAS_SERVICE
from monitor.demo.session import demo_services
from tests.acceptance.prometheus_server import program, scrape
from tests.processes import eventually, get


@pytest.fixture
async def prometheus(demo: str, tmp_path: Path) -> AsyncIterator[str]:
    """Start a Prometheus that scrapes the demo; yield its URL."""
    async with scrape(tmp_path, demo, {}) as url:
        yield url


async def run_query(prometheus: str, query: str) -> list[dict[str, Any]] | None:
    answer = await get(f"{prometheus}/api/v1/query", query=query)
    result: list[dict[str, Any]] = answer.json()["data"]["result"] if answer else []
    return result or None


QUERIES = {  # queries that must have a result, and what that proves
    'up{job="headroom"} == 1': "the scrape works",
    "count(headroom_utilization_ratio) > 100": "all services have series",
    'headroom_zone{signal="prefix_errors",resource="media-uploads/uploads/"} == 3': "S3 throttling is judged",
    "headroom_usage / ignoring(source) headroom_limit": "usage and limit share their labels",
    'sum by (zone) (headroom_series{aws_region="ap-southeast-2"}) > 0': "a denied region has series, too",
    "time() - headroom_sample_timestamp_seconds < 900": "samples are fresh",
    "count by (aws_service) (headroom_limit) > 0": "each service has limits",
    'headroom_aws_calls_total{code="AccessDeniedException"} > 0': "denied calls are counted",
    "headroom_estimated_cost_dollars_total > 0": "the cost of monitoring is exported",
    'headroom_ticks_total{loop="judge"} > 0': "the judgement runs",
}


async def test_queries_over_a_running_demo_have_results(prometheus: str) -> None:
    for query in QUERIES:
        assert await eventually(partial(run_query, prometheus, query)), query
    limits = await run_query(prometheus, "count by (aws_service) (headroom_limit)")
    services = {series["metric"]["aws_service"] for series in limits or ()}
    # QUOTAS_SERVICE may have no series until the next inventory.
    assert services | {QUOTAS_SERVICE} == {*demo_services()}


async def metrics_with_forecasts(address: str) -> bytes | None:
    """Return the /metrics of a server; None while they have no forecast."""
    answer = await get(f"http://{address}/metrics")
    has_forecast = answer is not None and b"headroom_limit_reach_timestamp_seconds{" in answer.content
    return answer.content if answer and has_forecast else None


async def test_promtool_accepts_the_exposition_with_its_forecasts(demo: str) -> None:
    exposition = await eventually(partial(metrics_with_forecasts, demo))
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=exposition, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
