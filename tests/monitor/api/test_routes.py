"""The routes of metrics, series, catalogue and status."""

import gzip
from dataclasses import replace

import httpx
import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from collectors.base import Unobservable, per_second
from collectors.quota_requests import QuotaRequest
from monitor.aws.call_rate import LoweredRate
from monitor.aws.failure import Failure
from monitor.aws.run_status import RunStatus
from monitor.aws.status import AccountStatus, CellStatus, MonitorStatus, OrganizationStatus, ReloadStatus
from monitor.fleet.judge import judge
from monitor.lib.version import VERSION
from rules.band import Zone
from tests.monitor.fleet.fleets import (
    ACCOUNT,
    NOW,
    REGION,
    SETTINGS,
    add,
    key,
    set_causes,
    set_judgement,
    throttled_metric,
)
from tests.monitor.fleet_server import Server, error_of, json_of
from tests.registries import REGISTRY

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
UNCOMPRESSED = {"Accept-Encoding": "identity"}


async def test_both_formats_have_the_same_samples(server: Server, client: httpx.AsyncClient) -> None:
    set_judgement(server.fleet, add(server.fleet, key('a "b"\n')), Zone.ABOVE, usage=800.0)
    await server.publish()
    prometheus_response = await client.get("/metrics", headers=UNCOMPRESSED)
    openmetrics_response = await client.get("/metrics", headers={**UNCOMPRESSED, "Accept": OPENMETRICS})
    assert prometheus_response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert (
        openmetrics_response.headers["content-type"]
        == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    )
    assert openmetrics_response.text.count("# EOF") == 1 and openmetrics_response.text.endswith("\n# EOF\n")
    assert "# EOF" not in prometheus_response.text
    samples = [
        {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in parse(response.text)
            for sample in family.samples
        }
        for parse, response in (
            (parse_prometheus, prometheus_response),
            (parse_openmetrics, openmetrics_response),
        )
    ]
    series_samples = [
        {sample: value for sample, value in values.items() if "resource" in dict(sample[1:])}
        for values in samples
    ]
    assert series_samples[0] == series_samples[1] and len(series_samples[0]) == 5
    assert any(name == "headroom_build_info" for name, *_ in samples[0])
    assert {name for name, *_ in samples[0]} == {name for name, *_ in samples[1]}


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
async def test_metrics_are_compressed_on_request(
    server: Server, client: httpx.AsyncClient, accept: str
) -> None:
    add(server.fleet, key("orders"))
    await server.publish()
    async with client.stream(
        "GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"}
    ) as response:
        compressed = b"".join([part async for part in response.aiter_raw()])
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert int(response.headers["content-length"]) == len(compressed)
    assert b'headroom_limit{aws_account="123456789012"' in gzip.decompress(compressed)


async def test_before_the_first_judgement_only_headrooms_own_metrics_are_exported(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/metrics")
    assert "headroom_build_info" in response.text and "headroom_limit" not in response.text


async def test_metrics_are_selected_by_service_account_and_region(
    server: Server, client: httpx.AsyncClient
) -> None:
    add(server.fleet, key("orders"))
    add(server.fleet, key("jobs", "sqs.standard_in_flight"))
    await server.publish()
    sqs_text = (await client.get("/metrics?service=sqs", headers=UNCOMPRESSED)).text
    assert 'resource="jobs"' in sqs_text and 'resource="orders"' not in sqs_text
    assert "headroom_build_info" not in sqs_text
    sqs_and_kinesis_text = (
        await client.get(f"/metrics?service=sqs&service=kinesis&account={ACCOUNT}", headers=UNCOMPRESSED)
    ).text
    assert 'resource="jobs"' in sqs_and_kinesis_text and 'resource="orders"' in sqs_and_kinesis_text
    other_region_text = (await client.get("/metrics?region=ap-south-1", headers=UNCOMPRESSED)).text
    assert "resource=" not in other_region_text
    headroom_text = (await client.get("/metrics?service=headroom", headers=UNCOMPRESSED)).text
    assert "headroom_build_info" in headroom_text and "resource=" not in headroom_text


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("services=sqs", "services"),
        ("account=", "account"),
        ("service=sq", "service: expected the name of a service, found sq; did you mean sqs?"),
        ("limit=5", "limit"),
    ],
)
async def test_an_invalid_parameter_of_metrics_is_rejected(
    client: httpx.AsyncClient, query: str, problem: str
) -> None:
    response = await client.get(f"/metrics?{query}")
    assert response.status_code == 422
    assert problem in response.json()["error"]


async def test_series_are_filtered_sorted_and_paged(server: Server, client: httpx.AsyncClient) -> None:
    for number in range(5):
        set_judgement(server.fleet, add(server.fleet, key(f"s{number}")), Zone.WITHIN, usage=float(number))
    set_judgement(server.fleet, add(server.fleet, key("other")), Zone.ABOVE, usage=800.0)
    await server.publish()
    names, path = [], "/api/v1/series?resource=s*&zone=within&zone=near&sort=usage&order=asc&limit=2"
    page = await json_of(client, path)
    assert page["total"] == 5
    assert sum(page["zones"].values()) == 5 and next(iter(page["zones"])) == "saturated"
    names += [item["resource"] for item in page["items"]]
    while page["next"]:
        page = await json_of(client, f"{path}&cursor={page['next']}")
        names += [item["resource"] for item in page["items"]]
    assert names == ["s0", "s1", "s2", "s3", "s4"]


async def test_a_series_has_its_forecast(server: Server, client: httpx.AsyncClient) -> None:
    fleet = server.fleet
    soon, later, new = (add(fleet, key(name)) for name in ("soon", "later", "new"))
    for series in (soon, later, new):
        set_judgement(fleet, series, Zone.WITHIN, usage=500.0)
    minute = int(fleet.minute[soon.slot])
    fleet.reach_probability[[soon.slot, later.slot]] = [[0.1, 0.6, 0.8, 0.9], [0.0, 0.1, 0.2, 0.95]]
    fleet.reach_minutes[soon.slot] = [minute + 180, minute + 240, minute + 300]
    # Quarters of an hour with known usage: 14 days, 14 days and 1.2 days.
    fleet.history_bins[[soon.slot, later.slot, new.slot]] = 1344, 1344, 115
    await server.publish()
    page = await json_of(client, "/api/v1/series?sort=reach")
    assert [item["resource"] for item in page["items"]] == ["soon", "later", "new"]
    forecasts = [item["forecast"] for item in page["items"]]
    assert forecasts[0]["summary"] == "reaches the limit in 3-5 h, 60 %"
    assert forecasts[0]["probability"] == {"1h": 0.1, "6h": 0.6, "24h": 0.8, "3d": 0.9}
    assert list(forecasts[0]["reached_at"]) == ["0.1", "0.5", "0.9"]
    assert forecasts[1]["summary"] == "95 % within 3d"
    assert forecasts[2]["summary"] == "1.2 of 2 days of history"
    assert (forecasts[2]["probability"], forecasts[2]["history_days"]) == ({}, 1.2)
    assert (await json_of(client, f"/api/v1/series/{soon.key.id}"))["forecast"] == forecasts[0]


async def test_a_listed_series_has_its_labels_judgement_limit_and_tags(
    server: Server, client: httpx.AsyncClient
) -> None:
    series_key = key("orders")
    series = add(server.fleet, series_key, replace(SETTINGS, tags={"tag_team": "checkout"}))
    set_judgement(server.fleet, series, Zone.SATURATED, usage=750.0, saturation=2.5)
    await server.publish()
    (item,) = (await json_of(client, "/api/v1/series"))["items"]
    assert item == {
        "id": series_key.id,
        **series_key.labels,
        "resource_id": "orders",
        "zone": "saturated",
        "bounded": False,
        "seconds_to_exhaustion": None,
        "usage": 750.0,
        "upper_bound": None,
        "limit": 1000.0,
        "unit": "bytes/s",
        "source": "api",
        "utilization": 0.75,
        "saturation": 2.5,
        "forecast": {
            "summary": "",
            "probability": {},
            "reached_at": {},
            "history_days": None,
            "effective_ceiling": None,
        },
        "sampled_at": "2027-01-15T08:00:00Z",
        "tags": {"tag_team": "checkout"},
    }


async def test_unknown_values_are_null(server: Server, client: httpx.AsyncClient) -> None:
    series = add(server.fleet, key("a\ud800"), replace(SETTINGS, limit=None))
    server.fleet.usage[series.slot] = np.inf
    await server.publish()
    (item,) = (await json_of(client, "/api/v1/series"))["items"]
    unknown = {name for name, value in item.items() if value is None}
    numbers = {"usage", "upper_bound", "limit", "utilization", "saturation"}
    assert unknown == {*numbers, "seconds_to_exhaustion", "source", "sampled_at"}
    assert item["resource"] == "a?"


async def test_a_series_shows_the_pending_request_for_its_quota(
    server: Server, client: httpx.AsyncClient
) -> None:
    request = QuotaRequest(5000.0, "CASE_OPENED", 1_800_000_000.0)
    dated = add(server.fleet, key("a"), replace(SETTINGS, quota_request=request))
    undated = add(
        server.fleet, key("b"), replace(SETTINGS, quota_request=replace(request, requested_at=None))
    )
    not_requested = add(server.fleet, key("c"))
    await server.publish()
    details = [
        await json_of(client, f"/api/v1/series/{series.key.id}") for series in (dated, undated, not_requested)
    ]
    requests = [series["quota_request"] for series in details]
    status_text = "is pending, with a support case."
    assert requests[0].pop("summary").endswith(f" was requested on 15 Jan 2027 and {status_text}")
    assert requests[1].pop("summary").endswith(f" was requested and {status_text}")
    expected = {"desired": 5000.0, "status": "CASE_OPENED", "pending": True, "decided_at": None}
    assert requests == [expected | {"since": "2027-01-15T08:00:00Z"}, expected | {"since": None}, None]


async def test_a_series_names_the_resource_with_the_highest_usage(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("a"), replace(SETTINGS, largest_resource="sales/orders\udc80"))
    await server.publish()
    assert (await json_of(client, f"/api/v1/series/{series.key.id}"))["largest"] == "sales/orders?"


async def test_a_series_has_its_throttled_demand_by_cause(server: Server, client: httpx.AsyncClient) -> None:
    causes = dict.fromkeys(("other", "hot", "late"), per_second(throttled_metric))
    series, without_causes = (
        add(server.fleet, key("a"), throttled_by_cause=causes),
        add(server.fleet, key("b")),
    )
    set_judgement(server.fleet, series, Zone.SATURATED, usage=750.0, saturation=2.5)
    set_causes(server.fleet, series, other=0.5, hot=2.0, late=np.nan)
    await server.publish()
    details = [
        await json_of(client, f"/api/v1/series/{shown_series.key.id}")
        for shown_series in (series, without_causes)
    ]
    by_cause = [list(detail["throttled_by_cause"].items()) for detail in details]
    assert by_cause == [[("hot", 2.0), ("other", 0.5), ("late", None)], []]


async def test_a_series_has_the_samples_of_its_last_three_hours(
    server: Server, client: httpx.AsyncClient
) -> None:
    series_key = key("orders")
    add(server.fleet, series_key)
    usage_row, throttled_row = 0, 1
    server.fleet.rings.write(np.array([usage_row]), np.array([NOW - 3]), np.array([60 * 950.0], np.float32))
    server.fleet.rings.mark_read(np.array([usage_row, throttled_row]), NOW - 2)
    judge(server.fleet, NOW)
    await server.publish()
    detail = await json_of(client, f"/api/v1/series/{series_key.id}")
    assert detail["zone"] == "near"
    assert detail["account_name"] == "production"
    assert detail["limit_read_at"] == "2027-01-15T08:00:00Z"
    assert detail["band"] == {"low": 0.4, "high": 0.7, "near": 0.9}
    assert detail["unobservable"] is None
    assert detail["limits"] == [{"since": None, "limit": 1000.0}]
    signal = detail["catalogue_entry"]
    assert signal["name"] == "stream_write_bytes"
    assert all(signal[name] for name in ("why", "caveats", "remedy", "docs", "saturation"))
    assert len(detail["history"]) == 180
    first, *_, sampled, last = detail["history"]
    assert first["minute"] == "2027-01-15T04:59:00Z"
    usage = pytest.approx(950.0)
    numbers = {"usage": usage, "upper_bound": None, "saturation": 0.0, "excess": 0.0, "limit_doubted": False}
    assert sampled == {"minute": "2027-01-15T07:57:00Z", **numbers}
    assert last == {"minute": "2027-01-15T07:58:00Z", **dict.fromkeys(numbers), "limit_doubted": False}


async def test_a_series_has_its_earlier_limits(server: Server, client: httpx.AsyncClient) -> None:
    series_key = key("orders")
    add(server.fleet, series_key)
    add(server.fleet, series_key, replace(SETTINGS, limit=None))
    await server.publish()
    detail = await json_of(client, f"/api/v1/series/{series_key.id}")
    assert detail["limits"] == [
        {"since": None, "limit": 1000.0},
        {"since": "2027-01-15T08:00:00Z", "limit": None},
    ]


async def test_a_series_has_the_region_where_aws_is_called_and_its_availability_zone(
    server: Server, client: httpx.AsyncClient
) -> None:
    regional, zoned = key("orders"), key("volume")
    zoned = zoned._replace(region="global", subject=replace(zoned.subject, zone="us-east-1a"))
    for series_key, home_region in ((regional, ""), (zoned, "us-east-1")):
        add(server.fleet, series_key, replace(SETTINGS, home_region=home_region))
    await server.publish()
    details = [await json_of(client, f"/api/v1/series/{series_key.id}") for series_key in (regional, zoned)]
    names = ("region", "aws_region", "availability_zone")
    assert [tuple(detail[name] for name in names) for detail in details] == [
        (REGION, REGION, ""),
        ("global", "us-east-1", "us-east-1a"),
    ]


async def test_a_changed_availability_zone_is_shown(server: Server, client: httpx.AsyncClient) -> None:
    database = key("database")
    for zone in ("us-east-1a", "us-east-1b"):
        add(server.fleet, database._replace(subject=replace(database.subject, zone=zone)))
        await server.publish()
        assert (await json_of(client, f"/api/v1/series/{database.id}"))["availability_zone"] == zone


async def test_an_unobservable_series_has_its_reason(server: Server, client: httpx.AsyncClient) -> None:
    series_key = key("photos", "s3.prefix_write_rate")
    add(server.fleet, series_key, usage=Unobservable("no request metrics", "aws s3api ..."), throttled=None)
    judge(server.fleet, NOW)
    await server.publish()
    detail = await json_of(client, f"/api/v1/series/{series_key.id}")
    assert detail["zone"] == "unobservable"
    assert detail["unobservable"] == {
        "reason": "no request metrics",
        "enable_command": "aws s3api ...",
        "enable_cost": None,
    }
    assert detail["history"] == []


async def test_a_dropped_series_is_not_found(server: Server, client: httpx.AsyncClient) -> None:
    series_key = key("orders")
    add(server.fleet, series_key)
    await server.publish()
    server.fleet.drop(series_key)
    response = await client.get(f"/api/v1/series/{series_key.id}")
    assert response.status_code == 404
    assert series_key.id in error_of(response)


async def test_the_catalogue_holds_every_signal(client: httpx.AsyncClient) -> None:
    catalogue = await json_of(client, "/api/v1/catalogue")
    names = {f"{item['service']}.{item['name']}" for item in catalogue["items"]}
    assert names == {signal.id for signal in REGISTRY.signals}


async def test_the_catalogue_says_which_signals_are_off(server: Server, client: httpx.AsyncClient) -> None:
    assert (await json_of(client, "/api/v1/catalogue"))["off"] == []
    server.status = MonitorStatus(signals_off=["ebs.volume_iops"])
    assert (await json_of(client, "/api/v1/catalogue"))["off"] == ["ebs.volume_iops"]


async def test_a_dropped_series_is_not_counted_as_unobservable(
    server: Server, client: httpx.AsyncClient
) -> None:
    series_key = key("photos", "s3.prefix_write_rate")
    add(server.fleet, series_key, usage=Unobservable("no request metrics", "aws s3api ..."))
    server.fleet.drop(series_key)
    server.fleet.reclaim()
    judge(server.fleet, NOW)
    await server.publish()
    server.status = MonitorStatus(
        cells=[
            CellStatus(
                account=ACCOUNT, region=REGION, name="", collectors={"s3": RunStatus()}, poll=RunStatus()
            )
        ]
    )
    (cell,) = (await json_of(client, "/api/v1/status"))["cells"]
    assert [collector["unobservable_total"] for collector in cell["collectors"]] == [0]


DENIED = Failure("ListStreams", "", "AccessDenied", "not allowed")
DENIED_JSON = {"operation": "ListStreams", "resource": "", "code": "AccessDenied", "message": "not allowed"}
PARTLY_DENIED = MonitorStatus(
    cells=[
        CellStatus(
            account=ACCOUNT,
            region=REGION,
            name="production",
            collectors={"s3": RunStatus(60.0, None, (DENIED,)), "sqs": RunStatus(60.0, 60.0)},
            poll=RunStatus(),
            lowered_rates=[LoweredRate("ec2", "DescribeVolumes", 2.5, 10.0)],
        )
    ],
    inaccessible_accounts={"staging": DENIED},
    organizations=[
        OrganizationStatus(
            title="organization acme", accounts=3, is_known=True, listing=RunStatus(60.0, 0.0, (DENIED,))
        )
    ],
    accounts=[AccountStatus(name="prod", access=RunStatus(), disabled_regions=["ap-east-1", "me-south-1"])],
    pending=["account staging"],
    last_reload=ReloadStatus(at=0.0, error="headroom.yaml: regoins: unknown"),
)
LISTING_JSON = {
    "last_attempt": "1970-01-01T00:01:00Z",
    "last_success": "1970-01-01T00:00:00Z",
    "failures": [DENIED_JSON],
}


async def test_the_status_has_cells_and_collectors(server: Server, client: httpx.AsyncClient) -> None:
    server.status = PARTLY_DENIED
    series_key = key("photos", "s3.prefix_write_rate")
    add(server.fleet, series_key, usage=Unobservable("no request metrics", "aws s3api ..."))
    judge(server.fleet, NOW)
    await server.publish()
    status = await json_of(client, "/api/v1/status")
    (cell,) = status.pop("cells")
    assert status == {
        "version": VERSION,
        "ready": True,  # one service was read
        "pending": ["account staging"],
        "last_reload": {"at": "1970-01-01T00:00:00Z", "error": "headroom.yaml: regoins: unknown"},
        "inaccessible_accounts": [{"account": "staging", "failure": DENIED_JSON}],
        "organizations": [
            {
                "organization": "organization acme",
                "accounts": 3,
                "listing": LISTING_JSON,
            }
        ],
        "disabled_regions": ["account prod: ap-east-1, me-south-1 are not enabled"],
    }
    assert cell["throttled_calls"] == [
        {"service": "ec2", "operation": "DescribeVolumes", "calls_per_second": 2.5, "highest": 10.0}
    ]
    assert cell["poll"] == {"last_attempt": None, "last_success": None, "failures": []}
    s3, sqs = cell["collectors"]
    assert s3["inventory"] == {
        "last_attempt": "1970-01-01T00:01:00Z",
        "last_success": None,
        "failures": [DENIED_JSON],
    }
    reason = {"reason": "no request metrics", "enable_command": "aws s3api ...", "enable_cost": None}
    assert s3["unobservable"] == [
        {"id": series_key.id, "signal": "prefix_write_rate", "resource": "photos", **reason}
    ]
    assert (s3["unobservable_total"], sqs["unobservable_total"]) == (1, 0)
