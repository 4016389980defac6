"""The cost of decoding: each field takes a step from the budget, however deeply it is nested."""

from collections.abc import Callable

import pytest

from monitor.stream import json_decoder, otlp_decoder
from monitor.stream.decode_budget import DecodeBudget, DecodeBudgetExceededError
from monitor.stream.interner import NameInterner
from monitor.stream.points import Points
from tests.monitor.stream.bodies import Update, attributes_0_7, line, numbers, pair, part, text, varint
from tests.monitor.stream.bodies import message as message_of
from tests.monitor.stream.bombs import nested

UPDATE = Update()
FIELDS = 20_000  # fields of one piece, as many as fit into the attributes of a point
EMPTY_FIELDS = b"\x0a\x00" * FIELDS
CELL = part(1, pair("cloud.account.id", text("123456789012"))) + part(
    1, pair("cloud.region", text("eu-west-1"))
)
PADDED_VALUE = part(7, pair("Namespace", part(8, b"") * FIELDS))


def message(point: bytes, cell: bytes = CELL) -> bytes:
    """Return an OTLP message with one point."""
    request = part(1, part(1, cell) + part(2, part(2, part(11, part(1, point)))))
    return varint(len(request)) + request


def numbered_attributes(number: int) -> bytes:
    """Return the attributes of a point, with another dimension for each number."""
    return attributes_0_7(UPDATE.but(dimensions=(("StreamName", str(number)),)))


PIECES: dict[str, Callable[[int], bytes]] = {
    "quantile": lambda n: message(part(6, EMPTY_FIELDS) + numbered_attributes(n)),
    "label": lambda n: message(part(1, EMPTY_FIELDS) + numbered_attributes(n)),
    "attribute": lambda n: message(part(7, EMPTY_FIELDS) + numbered_attributes(n)),
    "value of an attribute": lambda n: message(PADDED_VALUE + numbered_attributes(n)),
    "attribute of a resource": lambda n: message(
        b"", CELL + part(1, pair("n", text(str(n)))) + part(1, EMPTY_FIELDS)
    ),
}
LONG_LINE = line(UPDATE).replace(b"600.0", b"NaN").replace(b"}\n", b',"x":[' + b"[]," * FIELDS + b"[]]}\n")


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_every_field_is_charged_however_deeply_it_is_nested(piece: Callable[[int], bytes]) -> None:
    points = Points(budget=DecodeBudget(steps=4 * FIELDS))
    with pytest.raises(DecodeBudgetExceededError):
        otlp_decoder.decode(b"".join(map(piece, range(10))), NameInterner(), points)


def test_the_labels_of_a_known_point_are_charged() -> None:
    piece, names = message(attributes_0_7(UPDATE) + EMPTY_FIELDS + numbers(UPDATE)), NameInterner()
    otlp_decoder.decode(piece, names, Points())
    with pytest.raises(DecodeBudgetExceededError):
        otlp_decoder.decode(piece * 10, names, Points(budget=DecodeBudget(steps=4 * FIELDS)))


def test_a_line_that_is_decoded_by_itself_is_charged_by_its_length() -> None:
    points = Points(budget=DecodeBudget(steps=4 * FIELDS))
    with pytest.raises(DecodeBudgetExceededError):
        json_decoder.decode(LONG_LINE * 10, NameInterner(), points)


@pytest.mark.parametrize("depth", [1, 2, 100, 2500])
def test_dimensions_within_dimensions_affect_only_their_message(depth: int) -> None:
    good = message(attributes_0_7(UPDATE) + numbers(UPDATE))
    points = Points()
    otlp_decoder.decode(good + message(nested(depth) + attributes_0_7(UPDATE)) + good, NameInterner(), points)
    assert points.count == 3 - (depth > 1)
    assert points.error_counts.total() == (depth > 1)


def test_a_dimension_that_is_called_namespace_is_a_dimension() -> None:
    names, points = NameInterner(), Points()
    other = UPDATE.but(dimensions=(("MetricName", "x"), ("Namespace", "y")))
    otlp_decoder.decode(message_of([other]), names, points)
    (name,) = names.by_number
    assert (name.namespace, name.metric) == (other.namespace, other.metric)
    assert name.dimensions == other.dimensions
