"""Parsers of pushed requests, which use protobuf classes made from the schemas in this file."""

from typing import Any

import cramjam
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

SCALARS = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "fixed64": FieldDescriptorProto.TYPE_FIXED64,
}

# The name and the type of each field of a message, by field number; brackets mark a repeated field.
REMOTE_WRITE_1 = {
    "Label": {1: ("name", "string"), 2: ("value", "string")},
    "Sample": {1: ("value", "double"), 2: ("timestamp", "int64")},
    "TimeSeries": {1: ("labels", "[Label]"), 2: ("samples", "[Sample]")},
    "WriteRequest": {1: ("timeseries", "[TimeSeries]")},
}
REMOTE_WRITE_2 = {
    "Sample": {1: ("value", "double"), 2: ("timestamp", "int64")},
    "Metadata": {1: ("type", "uint32"), 3: ("help_ref", "uint32"), 4: ("unit_ref", "uint32")},
    "TimeSeries": {
        1: ("labels_refs", "[uint32]"),
        2: ("samples", "[Sample]"),
        5: ("metadata", "Metadata"),
    },
    "Request": {4: ("symbols", "[string]"), 5: ("timeseries", "[TimeSeries]")},
}
OTLP = {
    "AnyValue": {1: ("string_value", "string")},
    "KeyValue": {1: ("key", "string"), 2: ("value", "AnyValue")},
    "Point": {7: ("attributes", "[KeyValue]"), 3: ("time_unix_nano", "fixed64"), 4: ("as_double", "double")},
    "Gauge": {1: ("data_points", "[Point]")},
    "Metric": {
        1: ("name", "string"),
        2: ("description", "string"),
        3: ("unit", "string"),
        5: ("gauge", "Gauge"),
    },
    "Scope": {1: ("name", "string"), 2: ("version", "string")},
    "ScopeMetrics": {1: ("scope", "Scope"), 2: ("metrics", "[Metric]")},
    "Resource": {1: ("attributes", "[KeyValue]")},
    "ResourceMetrics": {1: ("resource", "Resource"), 2: ("scope_metrics", "[ScopeMetrics]")},
    "Request": {1: ("resource_metrics", "[ResourceMetrics]")},
}

Sample = tuple[frozenset[tuple[str, str]], int, float]  # labels, milliseconds, value


def message_class(package: str, messages: dict[str, dict[int, tuple[str, str]]], root: str) -> Any:
    """Return the protobuf class of the message `root`. Its fields may have the types of other `messages`."""
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in fields.items():
            descriptor = message.field.add(name=field, number=number)
            is_repeated = kind.startswith("[")
            descriptor.label = descriptor.LABEL_REPEATED if is_repeated else descriptor.LABEL_OPTIONAL
            if (type_name := kind.strip("[]")) in SCALARS:
                descriptor.type = SCALARS[type_name]
            else:
                descriptor.type, descriptor.type_name = descriptor.TYPE_MESSAGE, f".{package}.{type_name}"
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{package}.{root}"))


WriteRequest = message_class("remote_write_1", REMOTE_WRITE_1, "WriteRequest")
Request2 = message_class("remote_write_2", REMOTE_WRITE_2, "Request")
OtlpRequest = message_class("otlp", OTLP, "Request")


def decompress_snappy(body: bytes) -> bytes:
    return bytes(cramjam.snappy.decompress_raw(body))


def parse_remote_write(body: bytes) -> list[Sample]:
    """Return the samples of a remote write 1.0 request, in their order."""
    request = WriteRequest.FromString(decompress_snappy(body))
    samples = []
    for series in request.timeseries:
        labels = [(label.name, label.value) for label in series.labels]
        assert labels == sorted(set(labels)), "expected labels that are sorted by name, without duplicates"
        samples += [(frozenset(labels), sample.timestamp, sample.value) for sample in series.samples]
    return samples
