"""Samples and headers of families as text, rendered again only when they changed."""

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from monitor.exposition.body import CompressedPiece
from monitor.exposition.families import MaskedValues


def render_samples(
    name: str, first_labels: Iterable[bytes], last_labels: Iterable[bytes], values: npt.NDArray[Any]
) -> bytes:
    """Render the samples of a family, each with its first and last rendered labels. values: finite."""
    if not values.size:
        return b""
    parts = [name.encode(), b"", b"", b"", b"\n"] * values.size
    parts[1::5] = first_labels
    parts[2::5] = last_labels
    parts[3::5] = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    return b"".join(parts)


def render_header(name: str, help_: str) -> CompressedPiece:
    """Render the HELP and TYPE lines of a gauge."""
    return CompressedPiece.of(f"# HELP {name} {help_}\n# TYPE {name} gauge\n".encode())


class CachedSamples:
    """The samples of one family with the same labels; rendered again only when their values changed."""

    def __init__(self, name: str, first_labels: Sequence[bytes], last_labels: Sequence[bytes]) -> None:
        self._name, self._first_labels, self._last_labels = name, first_labels, last_labels
        self._state, self._piece = b"", CompressedPiece.of(b"")

    def piece(self, values: MaskedValues) -> CompressedPiece:
        """The samples with these values, one for each pair of labels; without those that are masked."""
        present = ~np.ma.getmaskarray(values)
        finite = values.compressed()
        state = present.tobytes() + finite.tobytes()
        if state != self._state:
            is_present = present.tolist()
            first_labels, last_labels = (
                compress(labels, is_present) for labels in (self._first_labels, self._last_labels)
            )
            self._piece = CompressedPiece.of(render_samples(self._name, first_labels, last_labels, finite))
            self._state = state
        return self._piece
