"""What an OpenTelemetry point is about: its resource and its attributes, both versions of them."""

from collections.abc import Mapping

from monitor.fleet import CellKey
from monitor.stream.names import LARGEST, Names
from monitor.stream.wire import FIXED64, LENGTH, VARINT, Broken, fields, tag

KEY, VALUE = tag(1, LENGTH), tag(2, LENGTH)  # of a label and of an attribute
STRING, LIST = tag(1, LENGTH), tag(6, LENGTH)  # of an attribute's value: text, or further attributes
LIST_ITEM = tag(1, LENGTH)
OTHERS = (tag(2, VARINT), tag(3, VARINT), tag(4, FIXED64), tag(5, LENGTH), LIST, tag(7, LENGTH))
LABEL, ATTRIBUTE = tag(1, LENGTH), tag(7, LENGTH)  # of a point: 0.7 and 1.0
RESOURCE_ATTRIBUTE = tag(1, LENGTH)
ACCOUNT, REGION, DIMENSIONS = "cloud.account.id", "cloud.region", "Dimensions"


def cell_of(resource: bytes, names: Names) -> CellKey:
    """Account and region. Raises Broken when the resource does not tell them."""
    cell = names.cells.get(resource)
    if cell is None:
        if len(resource) > LARGEST:
            raise Broken(f"expected a resource of at most {LARGEST} bytes, found {len(resource)}")
        told = dict[str, str]()
        for found, at, stop in fields(resource, 0, len(resource)):
            if found == RESOURCE_ATTRIBUTE and _pair(resource[at:stop])[0] in (ACCOUNT, REGION):
                told |= _attribute(resource[at:stop])
        try:
            cell = names.text(told[ACCOUNT]), names.text(told[REGION])
        except KeyError as missing:
            raise Broken(f"expected a resource with {missing}") from None
        names.cells[resource] = cell
        names.spellings += 1
    return cell


def name_of(raw: bytes) -> tuple[str, str, Mapping[str, str]]:
    """Namespace, metric and dimensions, as `raw` labels or attributes tell them. Raises Broken."""
    if len(raw) > LARGEST:
        raise Broken(f"expected at most {LARGEST} bytes of attributes, found {len(raw)}")
    told = dict[str, str]()
    for found, at, stop in fields(raw, 0, len(raw)):
        if found == LABEL:
            told |= _label(raw[at:stop])
        elif found == ATTRIBUTE:
            told |= _attribute(raw[at:stop])
        else:
            raise Broken("expected labels or attributes only")
    try:
        return told.pop("Namespace"), told.pop("MetricName"), told
    except KeyError as missing:
        raise Broken(f"expected a point with the attribute {missing}") from None


def _label(raw: bytes) -> Mapping[str, str]:
    """A label of 0.7: a key and a text."""
    key, value = _pair(raw)
    return {key: str(value, "utf-8")}


def _attribute(raw: bytes) -> Mapping[str, str]:
    """An attribute of 1.0: a key and a value, which is a text; that of the dimensions holds attributes."""
    key, value = _pair(raw)
    told = dict[str, str]()
    for found, at, stop in fields(value, 0, len(value)):
        if found == STRING:
            told[key] = str(value[at:stop], "utf-8")
        elif found == LIST and key == DIMENSIONS:
            for item, start, end in fields(value, at, stop):
                if item == LIST_ITEM:
                    told |= _attribute(value[start:end])
        elif found in OTHERS:
            raise Broken(f"expected a text as attribute {key}")
    return told


def _pair(raw: bytes) -> tuple[str, bytes]:
    parts = {found: raw[at:stop] for found, at, stop in fields(raw, 0, len(raw))}
    return str(parts.get(KEY, b""), "utf-8"), parts.get(VALUE, b"")
