"""The requests of every protocol, parsed by an independent parser of the protocol's schema."""

import gzip
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.exposition.exposition import Exposition
from monitor.exposition.families import FAMILIES
from monitor.fleet.fleet import Fleet
from monitor.fleet.series_settings import SeriesSettings
from monitor.push import remote_write
from monitor.push.encodings import ENCODINGS
from monitor.push.label_encoder import METRIC_NAME, LabelEncoder, sorted_labels
from monitor.push.pending_samples import PendingSamples
from monitor.push.protobuf_writer import varint
from monitor.push.queue_store import PushRequest
from monitor.push.request_batcher import build_requests
from monitor.push.samples import SAMPLE_KINDS
from monitor.push.watermarks import WATERMARK_DTYPE, Watermarks
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, text
from tests.monitor.push.pushed_fleets import add_stream, write_usage
from tests.monitor.push.schemas import OtlpRequest, Request2, Sample, decompress_snappy, parse_remote_write
from tests.registries import STREAM_WRITE_BYTES

STRANGE = 'a"b\\c\nd{é\u2028}\udcff,='
TAGGED = SeriesSettings(
    signal=STREAM_WRITE_BYTES,
    limit=Limit(1000.0, LimitSource.OVERRIDE, 0),
    band=Band(),
    tags={"tag_team": STRANGE, "tag_Cost": "7", "tag_empty": ""},
)


@pytest.fixture
def fleet() -> Fleet:
    """Return two streams: one has a plain name, one has a strange name."""
    fleet = Fleet()
    for name in ("clicks", STRANGE):
        series = add_stream(fleet, name, TAGGED)
        write_usage(fleet, series, {NOW - 5: 0.25, NOW - 4: 950})
        write_usage(fleet, series, {NOW - 4: 0}, of_throttling=True)
    return fleet


def requests_of(fleet: Fleet, protocol: str) -> list[PushRequest]:
    """Return the requests with all samples of a fleet."""
    encoding, all_requests = ENCODINGS[protocol], []
    pending = PendingSamples(fleet, Watermarks(np.empty(0, WATERMARK_DTYPE), 0))
    for batch in pending.batches():
        requests, queued = build_requests(batch, encoding, LabelEncoder(encoding.encode_label))
        pending.mark_queued(batch, queued)
        all_requests += requests
    return all_requests


def parse_remote_write_2(body: bytes) -> Iterator[Sample]:
    request = Request2.FromString(decompress_snappy(body))
    symbols = list(request.symbols)
    assert symbols[0] == ""
    assert len(set(symbols)) == len(symbols)
    for series in request.timeseries:
        texts = [symbols[ref] for ref in series.labels_refs]
        labels = list(zip(texts[::2], texts[1::2], strict=True))
        assert labels == sorted(labels)
        assert series.metadata.type == 2, "a gauge"
        assert symbols[series.metadata.help_ref] == HELP[dict(labels)[METRIC_NAME]]
        assert symbols[series.metadata.unit_ref] == ""
        for sample in series.samples:
            yield frozenset(labels), sample.timestamp, sample.value


def parse_otlp(body: bytes) -> Iterator[Sample]:
    request = OtlpRequest.FromString(gzip.decompress(body))
    (resource,) = request.resource_metrics
    assert [(label.key, label.value.string_value) for label in resource.resource.attributes] == [
        ("service.name", "headroom")
    ]
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "headroom"
    for metric in scope.metrics:
        assert (metric.description, metric.unit) == (HELP[metric.name], "")
        for point in metric.gauge.data_points:
            labels = {(label.key, label.value.string_value) for label in point.attributes}
            yield (
                frozenset({(METRIC_NAME, metric.name), *labels}),
                point.time_unix_nano // 10**6,
                point.as_double,
            )


HELP = {family.name: family.help for family in FAMILIES}
PARSERS: dict[str, Any] = {
    "remote_write 1": parse_remote_write,
    "remote_write 2": parse_remote_write_2,
    "otlp": parse_otlp,
}


@pytest.mark.parametrize("protocol", ENCODINGS)
def test_a_receiver_reads_every_sample(fleet: Fleet, protocol: str) -> None:
    parse = PARSERS[protocol]
    samples = [sample for request in requests_of(fleet, protocol) for sample in parse(request.body)]
    assert len(set(samples)) == len(samples)
    series_labels = {
        "aws_account": ACCOUNT,
        "aws_region": REGION,
        "aws_service": "kinesis",
        "signal": "stream_write_bytes",
        "tag_team": STRANGE.replace("\udcff", "?"),
        "tag_Cost": "7",
    }
    unit, source = {"unit": "bytes/s"}, {"source": "override"}
    expected: dict[str, tuple[dict[str, str], dict[int, float]]] = {
        "headroom_usage": (unit, {5: 0.25, 4: 950}),
        "headroom_limit": (unit | source, {5: 1000, 4: 1000}),
        "headroom_utilization_ratio": ({}, {5: 0.00025, 4: 0.95}),
        "headroom_zone": ({}, {5: -1, 4: 2}),
    }
    # Saturation is left out: it is known in every minute of the window, as it is 0 without a point.
    assert {sample for sample in samples if (METRIC_NAME, "headroom_saturation") not in sample[0]} == {
        (
            frozenset({METRIC_NAME: name, "resource": resource, **series_labels, **family_labels}.items()),
            (NOW - minutes_ago) * 60_000,
            value,
        )
        for name, (family_labels, values) in expected.items()
        for resource in ("clicks", STRANGE.replace("\udcff", "?"))
        for minutes_ago, value in values.items()
    }


@pytest.mark.parametrize("protocol", ENCODINGS)
def test_the_size_of_requests_is_bounded(protocol: str) -> None:
    fleet = Fleet()
    for n in range(1000):
        series = add_stream(fleet, f"{n:04}" + "x" * 1000, throttled=None)
        write_usage(fleet, series, {NOW - 4: n, NOW - 3: n})
    requests = requests_of(fleet, protocol)
    assert sum(request.sample_count for request in requests) == 1000 * 2 * 4
    for request in requests:
        assert 0 < request.sample_count <= 2000
        assert request.sample_count == len(list(PARSERS[protocol](request.body)))
        assert request.newest_minute == NOW - 3
    message = (
        decompress_snappy(requests[0].body) if "write" in protocol else gzip.decompress(requests[0].body)
    )
    assert len(message) < 1_100_000


async def test_pushed_labels_equal_the_labels_of_the_exposition(fleet: Fleet) -> None:
    """So samples that a receiver gets by push and by scraping belong to one series."""
    exposition = Exposition(fleet)
    for series in fleet.series.values():
        slot = series.slot
        fleet.usage[slot] = fleet.utilization[slot] = fleet.saturation[slot] = fleet.zone[slot] = 1
        fleet.minute[slot] = NOW
    await exposition.publish({})
    exposed = {
        line.rpartition(" ")[0]
        for line in text(exposition).split("\n")
        if line.startswith(tuple(SAMPLE_KINDS))
    }
    escapes = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    pushed_families = [family for family in FAMILIES if family.name in SAMPLE_KINDS]
    for family in (family for family in pushed_families if "bound" not in family.name):
        for series in fleet.series.values():
            labels = {
                f'{name}="{value.translate(escapes)}"'.encode(errors="replace").decode()
                for name, value in sorted_labels(family, series)
                if name != METRIC_NAME
            }
            line = next(
                line
                for line in exposed
                if line.startswith(family.name + "{") and labels <= split_labels(line)
            )
            assert split_labels(line) - labels <= {'tag_empty=""'}, "an empty label means no label"


def split_labels(line: str) -> set[str]:
    """Return the labels of a line of exposition text."""
    labels = line.partition("{")[2].removesuffix("}")
    return set(labels.replace('",', '"\0').split("\0"))


def test_every_exported_family_of_series_is_pushed_or_left_out_on_purpose() -> None:
    not_pushed = {  # known for the present only, not for each minute
        "headroom_sample_timestamp_seconds",
        "headroom_idle",
        "headroom_seconds_to_exhaustion",
        "headroom_limit_reach_probability",
        "headroom_limit_reach_timestamp_seconds",
        "headroom_effective_ceiling",
    }
    assert {family.name for family in FAMILIES} - SAMPLE_KINDS.keys() == not_pushed


@given(st.integers(0, 2**63))
def test_a_varint_holds_seven_bits_per_byte(number: int) -> None:
    decoded = sum((byte & 0x7F) << 7 * index for index, byte in enumerate(varint(number)))
    assert decoded == number
    assert all(byte & 0x80 for byte in varint(number)[:-1])
    assert not varint(number)[-1] & 0x80


@given(st.integers(1_000_000, 70_000_000), st.floats(allow_nan=False))
def test_an_encoded_point_is_a_complete_field(minute: int, value: float) -> None:
    point = remote_write.encode_points(np.array([minute], np.int32), np.array([value])).tobytes()
    series = b"\x0a" + varint(len(point)) + point
    ((_, ms, decoded),) = parse_remote_write(ENCODINGS["remote_write 1"].compress(series))
    assert (ms, decoded) == (minute * 60_000, value)
