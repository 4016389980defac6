"""The labels of exported samples, and their text in Prometheus' format.

Labels are pairs of name and value. The text is rendered of these pairs, and `monitor.push` encodes the same
pairs, so that what is scraped and what is pushed is one series.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from monitor.fleet.fleet import Series
from monitor.fleet.key import LABELS, Group
from monitor.lib.label_names import exported_names

Labels = tuple[tuple[str, str], ...]

CLOSE = b"} "
LABEL_CACHE_SIZE = 4096  # groups and signals, whose labels many series have in common
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@lru_cache(LABEL_CACHE_SIZE)
def group_labels(group: Group) -> Labels:
    """Account, region, service and signal of a series, under their exported names."""
    return tuple(zip(exported_names(LABELS), group, strict=False))


def resource_labels(series: Series) -> Labels:
    """The labels that distinguish a series from the others of its group."""
    return tuple(series.key.subject.labels.items())


def tag_labels(series: Series) -> Labels:
    """The labels made of a series' tags, which may be empty."""
    return tuple(series.settings.tags.items())


def no_labels(_: Series) -> Labels:
    """No labels, for a family that has only the labels of the series."""
    return ()


def constant_label(name: str, value: str) -> Callable[[Series], Labels]:
    """Return what gives each series of a family the same label."""
    labels = ((name, value),)
    return lambda _: labels


def unit_labels(series: Series) -> Labels:
    """The unit of a series' usage and limit."""
    return _unit_labels(series.settings.signal.unit.name)


def unit_and_source_labels(series: Series) -> Labels:
    """The unit, and where the limit was read."""
    limit = series.settings.limit
    return _limit_labels(series.settings.signal.unit.name, limit.source.value if limit else "")


@lru_cache(LABEL_CACHE_SIZE)
def _unit_labels(unit: str) -> Labels:
    return (("unit", unit),)


@lru_cache(LABEL_CACHE_SIZE)
def _limit_labels(unit: str, source: str) -> Labels:
    return (*_unit_labels(unit), ("source", source))


def render(name: str, value: str) -> str:
    """Return the text of one label."""
    return f'{name}="{value.translate(ESCAPES)}"'


def render_first(labels: Iterable[tuple[str, str]]) -> bytes:
    """Return the text of the first labels, without the closing brace. What is not Unicode becomes `?`."""
    return ("{" + ",".join(render(*label) for label in labels)).encode(errors="replace")


def render_further(labels: Iterable[tuple[str, str]]) -> bytes:
    """Return the text of labels that follow others."""
    return "".join("," + render(*label) for label in labels).encode(errors="replace")


@lru_cache(LABEL_CACHE_SIZE)
def render_last(labels: Labels) -> bytes:
    """Return the text of the last labels, of which there may be none, and the closing brace."""
    return render_further(labels) + CLOSE


@lru_cache(LABEL_CACHE_SIZE)
def render_group(group: Group) -> bytes:
    """Return the text of the labels of a group, without the closing brace."""
    return render_first(group_labels(group))


def render_all(series: Sequence[Series | None]) -> tuple[list[bytes], list[bytes]]:
    """Return the text of the labels that all samples of some series have, without the closing brace.

    It is in two parts: what series of one group share is one object. Both are empty where there is none.
    """
    return (
        [render_group(one.key[:4]) if one else b"" for one in series],
        [render_further((*resource_labels(one), *tag_labels(one))) if one else b"" for one in series],
    )
