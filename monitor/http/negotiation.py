"""Chooses the format and encoding that a client prefers by its Accept headers (RFC 9110, section 12.5).

prometheus-client has `choose_encoder` and `gzip_accepted`, which ignore quality values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExpositionFormat:
    """A media type and its version."""

    media_type: str
    version: str

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        return f"{self.media_type}; version={self.version}; charset=utf-8"


PROMETHEUS_TEXT = ExpositionFormat("text/plain", "0.0.4")
OPENMETRICS = ExpositionFormat("application/openmetrics-text", "1.0.0")


def exposition_format(accept: str) -> ExpositionFormat:
    """Return OpenMetrics if the client prefers it, else (and by default) the Prometheus text format."""
    prefers_openmetrics = _preference(accept, OPENMETRICS) > _preference(accept, PROMETHEUS_TEXT)
    return OPENMETRICS if prefers_openmetrics else PROMETHEUS_TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether the client accepts gzip and prefers it at least as much as no encoding."""
    qualities = {name: _quality(params) for name, params in _ranges(accept_encoding)}
    gzip = qualities.get("gzip", qualities.get("*", 0.0))
    return 0 < gzip >= qualities.get("identity", 0.0)


def _preference(accept: str, offered: ExpositionFormat) -> tuple[float, int]:
    """Return the quality of the most specific media range that matches `offered`, and its specificity."""
    family = offered.media_type.partition("/")[0] + "/*"
    specificity = {"*/*": 1, family: 2, offered.media_type: 3}
    matching = [
        (specificity[name], _quality(params))
        for name, params in _ranges(accept)
        if name in specificity and params.get("version", offered.version) == offered.version
    ]
    best_specificity, quality = max(matching, default=(0, 0.0))
    return quality, best_specificity


def _ranges(header: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the media ranges or encodings of an Accept header with their parameters."""
    for part in header.lower().split(","):
        name, *params = (field.strip() for field in part.split(";"))
        pairs = (param.partition("=")[::2] for param in params)
        yield name, {key.strip(): value.strip(' "') for key, value in pairs}


def _quality(params: Mapping[str, str]) -> float:
    """Return the quality value, from 0 (not acceptable) to 1; 0 if it is invalid."""
    try:
        quality = float(params.get("q", "1"))
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
