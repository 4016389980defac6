"""Captured requests of metric streams, compared with the output of an independent decoder."""

import json
import math
from typing import Any

import pytest

from monitor.stream.decode import decode_records
from monitor.stream.envelope import EnvelopeError, gunzip, parse_envelope
from monitor.stream.interner import MetricName, NameInterner
from monitor.stream.points import BASE_STATISTICS, Points
from tests.acceptance.conftest import STREAMS
from tests.monitor.stream.endpoint import check_reply, serve_endpoint
from tests.monitor.stream.fleets import fleet_of, ingest_of

EXPECTED: dict[str, dict[str, Any]] = json.loads((STREAMS / "expected.json").read_text())

each_file = pytest.mark.parametrize("file", EXPECTED)


def request_id_of(body: bytes) -> str:
    """Return the `requestId` in the body, or `r-1` if it has none."""
    try:
        return str(json.loads(body)["requestId"])
    except (ValueError, KeyError):
        return "r-1"


@each_file
async def test_each_request_has_the_expected_status(file: str) -> None:
    body, gzipped = (STREAMS / file).read_bytes(), file.endswith(".gz")
    request_id = "r-1" if gzipped else request_id_of(body)
    async with serve_endpoint(ingest_of(fleet_of())) as endpoint:
        check_reply(
            await endpoint.post(body, request_id, content_encoding="gzip" if gzipped else None),
            EXPECTED[file]["status"],
            request_id,
        )


def decode(file: str, *extra_statistics: str) -> tuple[Points, NameInterner]:
    """Return the points of a file of the fixtures, and the names that they refer to."""
    body = (STREAMS / file).read_bytes()
    names = NameInterner()
    return decode_records(
        parse_envelope(body, request_id_of(body)), names, (*BASE_STATISTICS, *extra_statistics)
    )[0], names


@pytest.mark.parametrize("file", [file for file, expected in EXPECTED.items() if expected["status"] == 200])
def test_each_request_decodes_to_the_expected_points(file: str) -> None:
    expected = EXPECTED[file]
    points, names = decode(file, *expected.get("first_extra_statistics", ()))
    numbers, times, _ = points.columns()
    pairs = zip(numbers.tolist(), times.tolist(), strict=True)
    series_minutes = [(names.by_number[number][:5], time // 60_000) for number, time in pairs]
    found = {
        "points": points.count,
        "series": len({name for name, _ in series_minutes}),
        "distinct_series_minutes": len(set(series_minutes)),
        "bad_pieces": points.error_counts.total(),
    }
    assert found == {name: expected[name] for name in found}
    if points.count:
        assert_point(expected["first"] | expected.get("first_extra_statistics", {}), points, names, 0)
        assert_point(expected["last"], points, names, -1)


def assert_point(expected: dict[str, Any], points: Points, names: NameInterner, index: int) -> None:
    """Assert that the point at an index has the expected content."""
    numbers, times, values = points.columns()
    name: MetricName = names.by_number[numbers[index]]
    assert (expected["account"], expected["region"]) == name.cell
    assert (expected["namespace"], expected["metric"], expected["unit"]) == (
        name.namespace,
        name.metric,
        name.unit,
    )
    assert expected["dimensions"] == dict(name.dimensions)
    assert expected["timestamp_ms"] == times[index]
    for statistic, value in zip(points.statistics, values[:, index].tolist(), strict=True):
        if statistic in expected:
            expected_value = expected[statistic]
            assert value == float(expected_value) if expected_value is not None else not math.isfinite(value)


@pytest.mark.parametrize("file", [file for file, expected in EXPECTED.items() if expected["status"] == 400])
def test_an_invalid_request_yields_no_points(file: str) -> None:
    body = (STREAMS / file).read_bytes()
    try:
        plain = gunzip(body) if file.endswith(".gz") else body
        points, is_valid = decode_records(parse_envelope(plain, request_id_of(plain)), NameInterner())
    except EnvelopeError:
        return
    assert not is_valid
    assert points.count == 0


@pytest.mark.parametrize("file", ["generated_otlp1.json", "generated_otlp07.json", "mixed_formats.json"])
def test_other_formats_decode_to_the_points_of_json(file: str) -> None:
    assert points_of(file) == points_of("generated_json.json")


def points_of(file: str) -> dict[tuple[Any, ...], list[float]]:
    """Return the statistics of each point of a file, by its names and its time."""
    points, names = decode(file)
    numbers, times, values = points.columns()
    return {
        (*names.by_number[number][:5], time): point_values
        for number, time, point_values in zip(
            numbers.tolist(), times.tolist(), values.T.tolist(), strict=True
        )
    }
