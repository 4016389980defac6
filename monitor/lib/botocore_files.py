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


def endpoint_data() -> Any:
    """Return the content of `endpoints.json`: by partition and service, the regions that have it."""
    return read_model_file(str(DATA_FOLDER / "endpoints"))
