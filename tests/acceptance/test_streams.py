"""Requests that others captured, and what an independent decoder found in them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from monitor.stream.envelope import Refused, inflated, opened
from monitor.stream.names import Name, Names
from monitor.stream.points import BASE, Points
from monitor.stream.records import points_of
from tests.acceptance.conftest import STREAMS
from tests.monitor.stream.endpoint import conforms, serving
from tests.monitor.stream.fleets import fleet_of, ingest_of

EXPECTED: dict[str, dict[str, Any]] = json.loads((STREAMS / "expected.json").read_text())

each_file = pytest.mark.parametrize("file", EXPECTED)


def request_of(body: bytes) -> str:
    """The id that the body gives itself."""
    try:
        return str(json.loads(body)["requestId"])
    except (ValueError, KeyError):
        return "r-1"


def content(file: Path) -> bytes:
    return file.read_bytes()


@each_file
async def test_each_request_is_answered_as_expected(file: str) -> None:
    body, zipped = content(STREAMS / file), file.endswith(".gz")
    request = "r-1" if zipped else request_of(body)
    async with serving(ingest_of(fleet_of())) as endpoint:
        conforms(
            await endpoint.post(body, request, content_encoding="gzip" if zipped else None),
            EXPECTED[file]["status"],
            request,
        )


def decoded(file: str, *further: str) -> tuple[Points, Names]:
    body = content(STREAMS / file)
    names = Names()
    return points_of(opened(body, request_of(body)), names, (*BASE, *further))[0], names


@pytest.mark.parametrize("file", [file for file, told in EXPECTED.items() if told["status"] == 200])
def test_each_request_holds_what_was_found_in_it(file: str) -> None:
    told = EXPECTED[file]
    points, names = decoded(file, *told.get("first_extra_statistics", ()))
    numbers, times, _ = points.columns()
    pairs = zip(numbers.tolist(), times.tolist(), strict=True)
    whole = [(names.all[number][:5], time // 60_000) for number, time in pairs]
    found = {
        "points": points.count,
        "series": len({name for name, _ in whole}),
        "distinct_series_minutes": len(set(whole)),
        "bad_pieces": points.bad.total(),
    }
    assert found == {name: told[name] for name in found}
    if points.count:
        same(told["first"] | told.get("first_extra_statistics", {}), points, names, 0)
        same(told["last"], points, names, -1)


def same(told: dict[str, Any], points: Points, names: Names, place: int) -> None:
    """The point at a place is the one that was found."""
    numbers, times, values = points.columns()
    name: Name = names.all[numbers[place]]
    assert (told["account"], told["region"]) == name.cell
    assert (told["namespace"], told["metric"], told["unit"]) == (name.namespace, name.metric, name.unit)
    assert told["dimensions"] == dict(name.dimensions)
    assert told["timestamp_ms"] == times[place]
    for statistic, value in zip(points.statistics, values[:, place].tolist(), strict=True):
        if statistic in told:
            expected = told[statistic]
            assert value == float(expected) if expected is not None else not math.isfinite(value)


@pytest.mark.parametrize("file", [file for file, told in EXPECTED.items() if told["status"] == 400])
def test_what_is_refused_is_refused_whole(file: str) -> None:
    body = content(STREAMS / file)
    with pytest.raises(Refused):
        whole = inflated(body) if file.endswith(".gz") else body
        points, good = points_of(opened(whole, request_of(whole)), Names())
        assert points.count == 0
        if not good:
            raise Refused


@pytest.mark.parametrize("file", ["generated_otlp1.json", "generated_otlp07.json", "mixed_formats.json"])
def test_three_formats_tell_the_same(file: str) -> None:
    assert told_by(file) == told_by("generated_json.json")


def told_by(file: str) -> dict[tuple[Any, ...], list[float]]:
    points, names = decoded(file)
    numbers, times, values = points.columns()
    return {
        (*names.all[number][:5], time): column
        for number, time, column in zip(numbers.tolist(), times.tolist(), values.T.tolist(), strict=True)
    }
