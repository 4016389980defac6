"""Reads the data files of the installed botocore without importing its clients."""

import gzip
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec


def _data_folder() -> Path:
    """Return botocore's folder of models, found without importing botocore."""
    spec = find_spec("botocore")
    assert spec, "botocore is installed"
    assert spec.origin
    return Path(spec.origin).parent / "data"


DATA_FOLDER = _data_folder()


def read_model_file(path: str, decode: Callable[[bytes], Any] = msgspec.json.decode) -> Any:
    """Return the decoded content of a file; None if it is absent. path: without the suffix of the file."""
    for suffix, decompress in ((".json", bytes), (".json.gz", gzip.decompress)):
        file = Path(path + suffix)
        if file.is_file():
            return decode(decompress(file.read_bytes()))
    return None


@cache
def partition_data() -> Any:
    """Return the content of `partitions.json`: names, regions and domains of the partitions."""
    return read_model_file(str(DATA_FOLDER / "partitions"))


class _Endpoints(msgspec.Struct):
    endpoints: dict[str, msgspec.Raw] = {}


class _Partition(msgspec.Struct):
    regions: dict[str, msgspec.Raw]
    services: dict[str, msgspec.Raw]


class _EndpointTable(msgspec.Struct):
    partitions: list[_Partition]


def regions_with(service: str) -> list[str]:
    """Return the regions that have a service, of all partitions, by `endpoints.json`.

    The other services are not decoded: they would take four megabytes.
    """
    decoder = msgspec.json.Decoder(_EndpointTable)
    table: _EndpointTable = read_model_file(str(DATA_FOLDER / "endpoints"), decoder.decode)
    return [
        region
        for partition in table.partitions
        if service in partition.services
        for region in msgspec.json.decode(partition.services[service], type=_Endpoints).endpoints
        if region in partition.regions
    ]
