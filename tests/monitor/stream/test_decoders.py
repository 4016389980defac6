"""The decoders of both formats: valid points, malformed pieces, and the cost of malformed pieces."""

import json
import math
import struct
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from monitor.stream.decode import decode_records
from monitor.stream.decode_budget import (
    MAX_DECODE_ERRORS,
    MAX_NAMESPACES,
    MAX_STEPS,
    DecodeBudgetExceededError,
)
from monitor.stream.interner import NameInterner, TooManyNamesError
from monitor.stream.otlp_decoder import MESSAGE_STEPS
from monitor.stream.points import BASE_STATISTICS, MAX_STORED_ERRORS, Points
from tests.monitor.stream.bodies import Update, line, lines, message, pb_field, pb_fixed64, varint
from tests.registries import DECLARED

UPDATE = Update()
WITH_PERCENTILES = UPDATE.but(percentiles=((0.5, 250.0), (0.999, 390.0)))
FORMS: dict[str, Callable[[Sequence[Update]], bytes]] = {
    "json": lines,
    "otlp 1.0": message,
    "otlp 0.7": lambda updates: message(updates, old=True),
}


def decode(*records: bytes, statistics: tuple[str, ...] = BASE_STATISTICS) -> tuple[Points, NameInterner]:
    """Return the points of records, and the names of their metrics."""
    names = NameInterner()
    return decode_records(records, names, statistics)[0], names


def values_of(points: Points) -> list[list[float]]:
    """Return the values of each point, in the order of the statistics."""
    return [[float(value) for value in point] for point in points.columns()[2].T]


@pytest.mark.parametrize("form", FORMS)
def test_every_part_of_a_point_is_decoded(form: str) -> None:
    points, names = decode(FORMS[form]([UPDATE, UPDATE.but(sum=0.0, max=0.0, min=0.0)]))
    assert values_of(points) == [[600.0, 400.0, 200.0, 2.0], [0.0, 0.0, 0.0, 2.0]]
    _, times, _ = points.columns()
    assert times.tolist() == [UPDATE.start, UPDATE.start]
    (name,) = names.by_number
    assert name[:5] == (UPDATE.account, UPDATE.region, UPDATE.namespace, UPDATE.metric, UPDATE.dimensions)


@pytest.mark.parametrize("form", FORMS)
def test_percentiles_are_decoded_if_they_are_declared(form: str) -> None:
    points, _ = decode(FORMS[form]([UPDATE, WITH_PERCENTILES]), statistics=(*BASE_STATISTICS, "p50", "p99.9"))
    assert values_of(points)[1] == [600.0, 400.0, 200.0, 2.0, 250.0, 390.0]
    assert np.isnan(points.columns()[2][4:, 0]).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", ["größe ☃ 😀", 'a"b\\c\n', "", "x" * 1024])
def test_a_dimension_may_have_any_text(form: str, text: str) -> None:
    update = UPDATE.but(dimensions=(("A", text), ("B", "b")))
    _, names = decode(FORMS[form]([update, update]))
    assert [name.dimensions for name in names.by_number] == [update.dimensions]


def test_the_order_of_the_dimensions_does_not_matter() -> None:
    pairs = (("A", "a"), ("B", "b"))
    updates = [UPDATE.but(dimensions=pairs), UPDATE.but(dimensions=pairs[::-1])]
    _, names = decode(lines(updates), message([updates[0].but(unit="None")]))
    assert len({name[:5] for name in names.by_number}) == 1


def test_the_labels_of_version_0_7_are_decoded() -> None:
    updates = [UPDATE.but(dimensions=(("StreamName", f"s{n}"),)) for n in range(5)]
    _, names = decode(message(updates, old=True))
    assert len(names.by_number) == 5


GOOD = line(UPDATE)


def line_with(**members: object) -> bytes:
    """Return a valid line with these members replaced; `...` removes a member."""
    all_members = json.loads(GOOD) | members
    return (
        json.dumps({name: value for name, value in all_members.items() if value is not ...}).encode() + b"\n"
    )


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"not json", id="no JSON"),
        pytest.param(b'{"broken":', id="cut off"),
        *(pytest.param(text, id=text.decode()) for text in (b"[]", b'"text"', b"null", b"42", b"{}")),
        pytest.param(b"[" * 100_000, id="nested"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(line_with(value=...), id="without value"),
        pytest.param(line_with(value=[]), id="value is a list"),
        pytest.param(line_with(timestamp="yesterday"), id="time in words"),
        pytest.param(line_with(timestamp=10**30), id="time too large"),
        pytest.param(line_with(dimensions={"a": {}}), id="dimension is an object"),
        pytest.param(line_with(dimensions=...), id="without dimensions"),
        pytest.param(line_with(dimensions={"a": "x" * 70_000}), id="a dimension too long"),
        pytest.param(line_with(namespace=None), id="namespace is null"),
        pytest.param(line_with(dimensions={"a": "bad-\ud800"}), id="half a surrogate pair"),
        pytest.param(
            line_with(value={"sum": "1" * 5000}).replace(b'"1', b"1").replace(b'1"', b"1"),
            id="a very long number",
        ),
        pytest.param(b'{"TICKER_SYMBOL":"KIN","PRICE":4.96}', id="the console's demo data"),
    ],
)
def test_a_bad_line_affects_only_itself(bad: bytes) -> None:
    points, _ = decode(GOOD + bad.rstrip(b"\n") + b"\n" + GOOD)
    assert points.count == 2
    assert points.error_counts == {"json": 1}
    assert len(points.errors) == 1
    points, any_valid = decode_records([bad], NameInterner())
    assert points.count == 0
    assert points.error_counts
    assert not any_valid


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", '"NaN"', '"Infinity"', "1e400", "null", "true", '"x"']
)
def test_a_statistic_that_is_no_finite_number_is_missing_and_its_line_is_decoded(number: str) -> None:
    line_without_max = GOOD.replace(b'"max":400.0', b'"max":' + number.encode())
    points, _ = decode(line_without_max + GOOD)
    assert not points.error_counts
    statistics = values_of(points)[0]
    assert statistics[0] == 600.0
    assert not math.isfinite(statistics[1])


def test_members_in_any_order_unknown_members_and_blanks_are_accepted() -> None:
    members = json.loads(GOOD)
    reordered = json.dumps({"new": {"x": [1]}, **dict(reversed(members.items()))}).encode()
    points, names = decode(b"\n" + reordered + b"\r\n\n" + GOOD.rstrip())
    assert points.count == 2
    assert len(names.by_number) == 1


@pytest.mark.parametrize("record", [b"{}\n" * 30_000, b"\x02\xff\xff" * 30_000], ids=["json", "otlp"])
def test_after_the_maximum_of_errors_the_rest_of_a_record_counts_as_one_error(record: bytes) -> None:
    points, _ = decode_records([record, GOOD, record], NameInterner())
    assert MAX_DECODE_ERRORS < points.error_counts.total() < MAX_DECODE_ERRORS + 4
    assert points.count == 1
    assert len(points.errors) <= MAX_STORED_ERRORS


def test_a_body_with_more_pieces_than_the_budget_allows_is_rejected() -> None:
    empty = b"\x02\x10\x00" * (MAX_STEPS // MESSAGE_STEPS // 2 + 1)
    assert decode_records([empty], NameInterner())[1]
    with pytest.raises(DecodeBudgetExceededError):
        decode_records([empty, empty], NameInterner())


@pytest.mark.parametrize("form", [lines, message], ids=["json", "otlp"])
def test_a_body_with_too_many_new_names_is_accepted_after_the_sender_repeated_it(
    form: Callable[[list[Update]], bytes],
) -> None:
    names = NameInterner(max_new_bytes=10_000)
    body = [form([UPDATE.but(dimensions=(("StreamName", f"s-{n}"),)) for n in range(30)])]
    rejected_attempts = 0
    while rejected_attempts < 10:
        names.begin_body()
        try:
            points, _ = decode_records(body, names)
            break
        except TooManyNamesError:
            rejected_attempts += 1
    assert 1 <= rejected_attempts < 10
    assert points.count == len(names.by_number) == 30


def test_namespaces_beyond_the_maximum_are_counted_as_one() -> None:
    updates = [UPDATE.but(namespace=f"AWS/{n}") for n in range(MAX_NAMESPACES + 50)]
    records = [lines(updates[:600]), lines(updates[600:])]
    points, _ = decode_records(records, NameInterner(DECLARED.statistics))
    assert len(points.undeclared) == MAX_NAMESPACES + 1
    assert points.undeclared.total() == len(updates)


def with_length(content: bytes) -> bytes:
    return varint(len(content)) + content


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(with_length(b"\xff" * 20), id="no protobuf"),
        pytest.param(with_length(pb_field(1, b"\x0a\x7f")), id="a field beyond its message"),
        pytest.param(with_length(b"\x0b\x00"), id="a group"),
        pytest.param(with_length(b"\x02\x00"), id="field 0"),
        pytest.param(with_length(pb_field(1, pb_field(2, pb_field(2, b"")))), id="without a cell"),
    ],
)
def test_a_broken_message_affects_only_itself(bad: bytes) -> None:
    points, _ = decode(message([UPDATE]) + bad + message([UPDATE], old=True))
    assert points.count == 2
    assert points.error_counts.total() == 1


@pytest.mark.parametrize("tail", [b"\x80" * 64, b"\xff\xff\x7f", b"\x05\x0a"])
def test_the_bytes_from_a_malformed_length_on_are_one_malformed_piece(tail: bytes) -> None:
    points, _ = decode(message([UPDATE]) + tail)
    assert points.count == 1
    assert points.error_counts.total() == 1


def test_empty_messages_are_ignored() -> None:
    points, _ = decode(b"\0\0" + message([UPDATE]) + b"\0" * 100_000 + message([UPDATE]))
    assert points.count == 2
    assert not points.error_counts


def message_with_point(
    point: bytes, title: bytes = pb_field(1, b"amazonaws.com/N/M") + pb_field(3, b"By")
) -> bytes:
    """Return an OTLP message with one data point. title: the name and the unit of its metric."""
    cell = b"".join(
        pb_field(1, pb_field(1, key) + pb_field(2, pb_field(1, value)))
        for key, value in ((b"cloud.account.id", b"123456789012"), (b"cloud.region", b"eu-west-1"))
    )
    metric = title + pb_field(11, pb_field(1, point))
    return with_length(pb_field(1, pb_field(1, cell) + pb_field(2, pb_field(2, metric))))


LABELS = b"".join(
    pb_field(1, pb_field(1, key) + pb_field(2, value))
    for key, value in ((b"Namespace", b"N"), (b"MetricName", b"M"))
)
ATTRIBUTES = b"".join(
    pb_field(7, pb_field(1, key) + pb_field(2, pb_field(1, value)))
    for key, value in ((b"Namespace", b"N"), (b"MetricName", b"M"))
)
TIMES = pb_fixed64(2, "<Q", 60 * 10**9) + pb_fixed64(3, "<Q", 120 * 10**9)
QUANTILES = pb_field(6, pb_fixed64(2, "<d", 5.0)) + pb_field(
    6, pb_fixed64(1, "<d", 1.0) + pb_fixed64(2, "<d", 7.0)
)
UNKNOWN = varint(99 << 3) + varint(2**40) + varint(98 << 3 | 5) + b"\1\2\3\4" + pb_field(97, b"x")
COUNTS = pb_fixed64(4, "<Q", 3) + pb_fixed64(5, "<d", 18.0)


@pytest.mark.parametrize("identity", [LABELS, ATTRIBUTES])
@pytest.mark.parametrize(
    "order",
    [
        "{identity}{times}{counts}{quantiles}",
        "{times}{counts}{quantiles}{identity}",
        "{times}{counts}{identity}{quantiles}",
        "{quantiles}{counts}{times}{identity}",
        "{unknown}{identity}{times}{counts}{quantiles}",
        "{times}{counts}{quantiles}{identity}{unknown}",
        "{identity}{times}{counts}{quantiles}{unknown}",
    ],
)
def test_a_point_may_have_its_fields_in_any_order_and_unknown_fields(identity: bytes, order: str) -> None:
    pieces = {
        "identity": identity,
        "times": TIMES,
        "counts": COUNTS,
        "quantiles": QUANTILES,
        "unknown": UNKNOWN,
    }
    point = b"".join(pieces[name] for name in order.strip("{}").split("}{"))
    points, names = decode(message_with_point(point) + message_with_point(point))
    assert values_of(points) == [[18.0, 7.0, 5.0, 3.0]] * 2
    assert points.columns()[1].tolist() == [60_000] * 2
    assert len(names.by_number) == 1


def test_omitted_numbers_are_zero_and_omitted_quantiles_are_missing() -> None:
    omitted_numbers = pb_field(6, b"") + pb_field(6, pb_fixed64(1, "<d", 1.0))
    written_zeros = pb_field(6, struct.pack("<Bd", 9, 0.0) + struct.pack("<Bd", 17, 0.0)) + pb_field(
        6, pb_fixed64(1, "<d", 1.0)
    )
    points, _ = decode(
        *(
            message_with_point(LABELS + TIMES + quantiles)
            for quantiles in (omitted_numbers, written_zeros, b"")
        )
    )
    assert values_of(points)[:2] == [[0.0, 0.0, 0.0, 0.0]] * 2
    assert values_of(points)[2] == pytest.approx([0.0, math.nan, math.nan, 0.0], nan_ok=True)


def test_the_largest_count_is_decoded() -> None:
    points, _ = decode(message_with_point(LABELS + TIMES + pb_fixed64(4, "<Q", 2**64 - 1) + QUANTILES))
    assert values_of(points)[0][3] == 2.0**64


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(
            pb_field(7, pb_field(1, b"Namespace") + pb_field(2, varint(3 << 3) + b"\1")) + ATTRIBUTES,
            id="a number in place of a text",
        ),
        pytest.param(ATTRIBUTES[: len(ATTRIBUTES) // 2], id="no metric name"),
        pytest.param(b"", id="no attributes"),
        pytest.param(pb_field(1, pb_field(1, b"\xff")) + LABELS, id="no UTF-8"),
    ],
)
def test_a_point_without_namespace_or_metric_makes_its_message_malformed(attributes: bytes) -> None:
    malformed = message_with_point(TIMES + COUNTS + QUANTILES + attributes)
    points, _ = decode(message([UPDATE]) + malformed + message([UPDATE]))
    assert points.count == 2
    assert points.error_counts.total() == 1


def test_a_message_that_begins_like_json_is_decoded() -> None:
    short = message_with_point(LABELS + TIMES[:9], title=b"")[1:]
    padded = with_length(short + pb_field(97, b"x" * (ord("{") - len(short) - 3)))
    assert padded[:2] == b"{\n"
    points, _ = decode(padded + message([UPDATE]), b"garbage\n" + GOOD)
    assert points.count == 3
    assert points.error_counts.total() == 1


def test_formats_may_be_mixed_from_record_to_record() -> None:
    points, names = decode(GOOD, message([UPDATE]), message([UPDATE], old=True), b"", GOOD)
    assert points.count == 4
    assert {name.unit for name in names.by_number} == {"Bytes", "By"}


def test_undeclared_metrics_are_left_out_and_counted() -> None:
    names = NameInterner({("AWS/Kinesis", "IncomingBytes")})
    undeclared = UPDATE.but(namespace="AWS/EBS", metric="VolumeReadOps")
    records = [lines([undeclared, UPDATE]), message([undeclared, UPDATE, undeclared])]
    for _ in range(2):
        points, _ = decode_records(records, names)
        assert points.count == 2
        assert points.undeclared == {"AWS/EBS": 3}
    assert {name.namespace for name in names.by_number} == {"AWS/Kinesis"}
