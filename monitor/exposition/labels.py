"""The labels of exported samples, and their text in Prometheus' format.

Labels are pairs of name and value. The text is rendered from these pairs, and `monitor.push` encodes the same
pairs, so that scraped and pushed samples belong to the same series.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from monitor.fleet.fleet import Series
from monitor.fleet.key import LABELS, Group
from monitor.lib.label_names import exported_names

LabelPairs = tuple[tuple[str, str], ...]

CLOSE = b"} "
LABEL_CACHE_SIZE = 4096  # groups and signals, whose labels many series share
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@lru_cache(LABEL_CACHE_SIZE)
def group_labels(group: Group) -> LabelPairs:
    """Return account, region, service and signal of a series, under their exported names."""
    return tuple(zip(exported_names(LABELS), group, strict=False))


def resource_labels(series: Series) -> LabelPairs:
    """Return the labels that distinguish a series from the other series of its group."""
    return tuple(series.key.subject.labels.items())


def tag_labels(series: Series) -> LabelPairs:
    """Return the labels made of a series' tags; the values may be empty."""
    return tuple(series.settings.tags.items())


def no_labels(_: Series) -> LabelPairs:
    """Return no labels, for a family that has only the labels of the series."""
    return ()


def constant_label(name: str, value: str) -> Callable[[Series], LabelPairs]:
    """Return a function that gives each series of a family the same label."""
    labels = ((name, value),)
    return lambda _: labels


def unit_labels(series: Series) -> LabelPairs:
    """Return the unit of a series' usage and limit, as a label."""
    return _unit_labels(series.settings.signal.unit.name)


def unit_and_source_labels(series: Series) -> LabelPairs:
    """Return the unit of a series and the source of its limit, as labels."""
    limit = series.settings.limit
    return _limit_labels(series.settings.signal.unit.name, limit.source.value if limit else "")


@lru_cache(LABEL_CACHE_SIZE)
def _unit_labels(unit: str) -> LabelPairs:
    return (("unit", unit),)


@lru_cache(LABEL_CACHE_SIZE)
def _limit_labels(unit: str, source: str) -> LabelPairs:
    return (*_unit_labels(unit), ("source", source))


def render(name: str, value: str) -> str:
    """Return the text of one label."""
    return f'{name}="{value.translate(ESCAPES)}"'


def render_first(labels: Iterable[tuple[str, str]]) -> bytes:
    """Return the text of the first labels, without the closing brace. Lone surrogates become `?`."""
    return ("{" + ",".join(render(*label) for label in labels)).encode(errors="replace")


def render_further(labels: Iterable[tuple[str, str]]) -> bytes:
    """Return the text of labels that follow the first labels."""
    return "".join("," + render(*label) for label in labels).encode(errors="replace")


@lru_cache(LABEL_CACHE_SIZE)
def render_last(labels: LabelPairs) -> bytes:
    """Return the text of the last labels, if any, and the closing brace."""
    return render_further(labels) + CLOSE


@lru_cache(LABEL_CACHE_SIZE)
def render_group(group: Group) -> bytes:
    """Return the text of the labels of a group, without the closing brace."""
    return render_first(group_labels(group))


def render_common_labels(series: Sequence[Series | None]) -> tuple[list[bytes], list[bytes]]:
    """Return the text of the labels that all samples of each series have, without the closing brace.

    The text is in two parts: the labels of the group (one object for all series of a group), and the labels
    of the series itself. Both are empty for None.
    """
    return (
        [render_group(entry.key[:4]) if entry else b"" for entry in series],
        [render_further((*resource_labels(entry), *tag_labels(entry))) if entry else b"" for entry in series],
    )
