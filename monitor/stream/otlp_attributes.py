"""Decodes the resource and the attributes of OpenTelemetry points, in versions 0.7 and 1.0."""

from collections.abc import Mapping

from monitor.fleet.key import CellKey
from monitor.stream.decode_budget import DecodeBudget
from monitor.stream.interner import MAX_DIMENSIONS_BYTES, NameInterner
from monitor.stream.protobuf_reader import FIXED64, LENGTH, VARINT, ProtobufError, fields, tag

KEY, VALUE = tag(1, LENGTH), tag(2, LENGTH)  # of a label and of an attribute
STRING, LIST = tag(1, LENGTH), tag(6, LENGTH)  # of an attribute's value: text, or further attributes
LIST_ITEM = tag(1, LENGTH)
NON_TEXT_VALUES = (tag(2, VARINT), tag(3, VARINT), tag(4, FIXED64), tag(5, LENGTH), LIST, tag(7, LENGTH))
LABEL, ATTRIBUTE = tag(1, LENGTH), tag(7, LENGTH)  # of a point, in 0.7 and in 1.0
RESOURCE_ATTRIBUTE = tag(1, LENGTH)
ATTRIBUTE_STEPS = 12  # cost of decoding an attribute; see `DecodeBudget`
ACCOUNT, REGION, DIMENSIONS = "cloud.account.id", "cloud.region", "Dimensions"


def cell_of(resource: bytes, names: NameInterner, budget: DecodeBudget) -> CellKey:
    """Return account and region of a resource. Raises ProtobufError when either is missing."""
    cell = names.cells.get(resource)
    if cell is None:
        if len(resource) > MAX_DIMENSIONS_BYTES:
            raise ProtobufError(
                f"expected a resource of at most {MAX_DIMENSIONS_BYTES} bytes, found {len(resource)}"
            )
        texts = dict[str, str]()
        for field_tag, at, stop in fields(resource, 0, len(resource), budget):
            budget.spend(ATTRIBUTE_STEPS)
            if field_tag == RESOURCE_ATTRIBUTE:
                key, value = _pair(resource[at:stop], budget)
                if key in (ACCOUNT, REGION):
                    texts |= _text(key, value, budget)
        try:
            cell = names.intern_text(texts[ACCOUNT]), names.intern_text(texts[REGION])
        except KeyError as missing:
            raise ProtobufError(f"expected a resource with {missing}") from None
        names.reserve(len(resource))
        names.cells[resource] = cell
    return cell


def name_of(raw: bytes, budget: DecodeBudget) -> tuple[str, str, Mapping[str, str]]:
    """Return namespace, metric and dimensions of raw labels or attributes. Raises ProtobufError."""
    if len(raw) > MAX_DIMENSIONS_BYTES:
        raise ProtobufError(f"expected at most {MAX_DIMENSIONS_BYTES} bytes of attributes, found {len(raw)}")
    # Two mappings, as a dimension may be called Namespace, too.
    texts, dimensions = dict[str, str](), dict[str, str]()
    for field_tag, at, stop in fields(raw, 0, len(raw), budget):
        budget.spend(ATTRIBUTE_STEPS)
        key, value = _pair(raw[at:stop], budget)
        if field_tag == LABEL:
            texts[key] = str(value, "utf-8")
        elif field_tag == ATTRIBUTE and key == DIMENSIONS:
            dimensions |= _dimensions(value, budget)
        elif field_tag == ATTRIBUTE:
            texts |= _text(key, value, budget)
        else:
            raise ProtobufError("expected labels or attributes only")
    try:
        return texts.pop("Namespace"), texts.pop("MetricName"), texts | dimensions
    except KeyError as missing:
        raise ProtobufError(f"expected a point with the attribute {missing}") from None


def _dimensions(value: bytes, budget: DecodeBudget) -> Mapping[str, str]:
    """Decode the value of the attribute Dimensions: a list of further attributes, all of them texts."""
    texts = dict[str, str]()
    for field_tag, at, stop in fields(value, 0, len(value), budget):
        if field_tag == LIST:
            for item_tag, start, end in fields(value, at, stop, budget):
                budget.spend(ATTRIBUTE_STEPS)
                if item_tag == LIST_ITEM:
                    texts |= _text(*_pair(value[start:end], budget), budget)
        elif field_tag == STRING or field_tag in NON_TEXT_VALUES:
            raise ProtobufError(f"expected a list as attribute {DIMENSIONS}")
    return texts


def _text(key: str, value: bytes, budget: DecodeBudget) -> Mapping[str, str]:
    """Decode an attribute that must be a text; return the text by `key`, or nothing without a value."""
    texts = dict[str, str]()
    for field_tag, at, stop in fields(value, 0, len(value), budget):
        if field_tag == STRING:
            texts[key] = str(value[at:stop], "utf-8")
        elif field_tag in NON_TEXT_VALUES:
            raise ProtobufError(f"expected a text as attribute {key}")
    return texts


def _pair(raw: bytes, budget: DecodeBudget) -> tuple[str, bytes]:
    """Return the key and the encoded value of a label or an attribute; each is empty if it is missing."""
    parts = {field_tag: raw[at:stop] for field_tag, at, stop in fields(raw, 0, len(raw), budget)}
    return str(parts.get(KEY, b""), "utf-8"), parts.get(VALUE, b"")
