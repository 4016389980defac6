"""The cost of decoding: each field takes a step from the budget, however deeply it is nested."""

from collections.abc import Callable

import pytest

from monitor.stream import json_decoder, otlp_decoder
from monitor.stream.decode_budget import DecodeBudget, DecodeBudgetExceededError
from monitor.stream.interner import NameInterner
from monitor.stream.points import Points
from tests.monitor.stream.bodies import (
    Update,
    attributes_0_7,
    line,
    otlp_attribute,
    otlp_text,
    pb_field,
    point_numbers,
    varint,
)
from tests.monitor.stream.bodies import message as message_of
from tests.monitor.stream.bombs import nested_dimensions

UPDATE = Update()
FIELDS = 20_000  # the number of fields in one piece: as many as fit into the attributes of a point
EMPTY_FIELDS = b"\x0a\x00" * FIELDS
CELL = pb_field(1, otlp_attribute("cloud.account.id", otlp_text("123456789012"))) + pb_field(
    1, otlp_attribute("cloud.region", otlp_text("eu-west-1"))
)
PADDED_VALUE = pb_field(7, otlp_attribute("Namespace", pb_field(8, b"") * FIELDS))


def message(point: bytes, cell: bytes = CELL) -> bytes:
    """Return an OTLP message with one point."""
    request = pb_field(1, pb_field(1, cell) + pb_field(2, pb_field(2, pb_field(11, pb_field(1, point)))))
    return varint(len(request)) + request


def numbered_attributes(number: int) -> bytes:
    """Return the attributes of a point, with a different dimension for each number."""
    return attributes_0_7(UPDATE.but(dimensions=(("StreamName", str(number)),)))


# By the place of many empty fields: makes a message with them. The number makes messages differ.
PIECES: dict[str, Callable[[int], bytes]] = {
    "quantile": lambda n: message(pb_field(6, EMPTY_FIELDS) + numbered_attributes(n)),
    "label": lambda n: message(pb_field(1, EMPTY_FIELDS) + numbered_attributes(n)),
    "attribute": lambda n: message(pb_field(7, EMPTY_FIELDS) + numbered_attributes(n)),
    "value of an attribute": lambda n: message(PADDED_VALUE + numbered_attributes(n)),
    "attribute of a resource": lambda n: message(
        b"", CELL + pb_field(1, otlp_attribute("n", otlp_text(str(n)))) + pb_field(1, EMPTY_FIELDS)
    ),
}
# The NaN makes the first attempt at decoding the line fail.
LONG_LINE = line(UPDATE).replace(b"600.0", b"NaN").replace(b"}\n", b',"x":[' + b"[]," * FIELDS + b"[]]}\n")


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_every_field_is_charged_however_deeply_it_is_nested(piece: Callable[[int], bytes]) -> None:
    points = Points(budget=DecodeBudget(steps=4 * FIELDS))
    with pytest.raises(DecodeBudgetExceededError):
        otlp_decoder.decode(b"".join(map(piece, range(10))), NameInterner(), points)


def test_the_labels_of_a_point_are_charged_even_if_its_name_is_known() -> None:
    piece, names = message(attributes_0_7(UPDATE) + EMPTY_FIELDS + point_numbers(UPDATE)), NameInterner()
    otlp_decoder.decode(piece, names, Points())
    with pytest.raises(DecodeBudgetExceededError):
        otlp_decoder.decode(piece * 10, names, Points(budget=DecodeBudget(steps=4 * FIELDS)))


def test_a_line_that_needs_a_second_attempt_at_decoding_is_charged_by_its_length() -> None:
    points = Points(budget=DecodeBudget(steps=4 * FIELDS))
    with pytest.raises(DecodeBudgetExceededError):
        json_decoder.decode(LONG_LINE * 10, NameInterner(), points)


@pytest.mark.parametrize("depth", [1, 2, 100, 2500])
def test_dimensions_within_dimensions_affect_only_their_message(depth: int) -> None:
    good = message(attributes_0_7(UPDATE) + point_numbers(UPDATE))
    points = Points()
    otlp_decoder.decode(
        good + message(nested_dimensions(depth) + attributes_0_7(UPDATE)) + good, NameInterner(), points
    )
    malformed_messages = 1 if depth > 1 else 0
    assert points.count == 3 - malformed_messages
    assert points.error_counts.total() == malformed_messages


def test_a_dimension_that_is_called_namespace_is_a_dimension() -> None:
    names, points = NameInterner(), Points()
    update = UPDATE.but(dimensions=(("MetricName", "x"), ("Namespace", "y")))
    otlp_decoder.decode(message_of([update]), names, points)
    (name,) = names.by_number
    assert (name.namespace, name.metric) == (update.namespace, update.metric)
    assert name.dimensions == update.dimensions
