"""Which form of an answer a client prefers, by its Accept headers (RFC 9110, section 12.5)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A media type and the version of it that we speak."""

    type: str
    version: str

    @property
    def content_type(self) -> str:
        return f"{self.type}; version={self.version}; charset=utf-8"


TEXT = Format("text/plain", "0.0.4")
OPENMETRICS = Format("application/openmetrics-text", "1.0.0")


def exposition_format(accept: str) -> Format:
    """OpenMetrics where the client prefers it, else Prometheus' text format, whatever else it asked for."""
    return OPENMETRICS if _preference(accept, OPENMETRICS) > _preference(accept, TEXT) else TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip is allowed, and not less welcome than no encoding at all."""
    qualities = {name: _quality(params) for name, params in _ranges(accept_encoding)}
    gzip = qualities.get("gzip", qualities.get("*", 0.0))
    return 0 < gzip >= qualities.get("identity", 0.0)


def _preference(accept: str, offered: Format) -> tuple[float, int]:
    """The quality of the most specific range that the format is in, and how specific that is."""
    family = offered.type.partition("/")[0] + "/*"
    specificity = {"*/*": 1, family: 2, offered.type: 3}
    matching = [
        (specificity[name], _quality(params))
        for name, params in _ranges(accept)
        if name in specificity and params.get("version", offered.version) == offered.version
    ]
    specific, quality = max(matching, default=(0, 0.0))
    return quality, specific


def _ranges(header: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    for part in header.lower().split(","):
        name, *params = (one.strip() for one in part.split(";"))
        pairs = (one.partition("=")[::2] for one in params)
        yield name, {key.strip(): value.strip(' "') for key, value in pairs}


def _quality(params: Mapping[str, str]) -> float:
    """0 (never) to 1; what is no such number is 0."""
    try:
        quality = float(params.get("q", "1"))
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
