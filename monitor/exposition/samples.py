"""Samples and headers of families as text, rendered again only when they changed."""

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any

import numpy.typing as npt
import orjson

from monitor.exposition.body import CompressedPiece
from monitor.exposition.families import FamilyValues


def render_samples(name: str, labels: Iterable[Iterable[bytes]], values: npt.NDArray[Any]) -> bytes:
    """Render the samples of a family. values: one finite number for each sample.

    labels: the parts of the rendered labels, in order; each part has one text for each sample.
    """
    if not values.size:
        return b""
    texts = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    name_of_next_line = b"\n" + name.encode()
    columns = [*labels, texts, (name_of_next_line,) * values.size]
    parts = [b""] * (values.size * len(columns))
    for index, column in enumerate(columns):
        parts[index :: len(columns)] = column
    parts[-1] = b"\n"  # no line follows the last one
    return name.encode() + b"".join(parts)


def render_header(name: str, help_: str) -> CompressedPiece:
    """Render the HELP and TYPE lines of a gauge."""
    return CompressedPiece.of(f"# HELP {name} {help_}\n# TYPE {name} gauge\n".encode())


class CachedSamples:
    """The samples of one family, whose labels stay the same; rendered again only when the values changed.

    labels: see `render_samples`.
    """

    def __init__(self, name: str, *labels: Sequence[bytes]) -> None:
        self._name, self._labels = name, labels
        self._state, self._piece = b"", CompressedPiece.of(b"")

    def piece(self, values: FamilyValues) -> CompressedPiece:
        """Return the samples of the values that are exported. values: one for each text of `labels`."""
        exported_values = values.values[values.is_exported]
        state = values.is_exported.tobytes() + exported_values.tobytes()
        if state != self._state:
            is_exported = values.is_exported.tolist()
            labels = [[*compress(part, is_exported)] for part in self._labels]
            self._piece = CompressedPiece.of(render_samples(self._name, labels, exported_values))
            self._state = state
        return self._piece
