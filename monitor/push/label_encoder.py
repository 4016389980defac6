"""Encodes the labels of samples for push protocols: sorted by name, without empty labels."""

from collections.abc import Callable, Iterable
from functools import lru_cache

from monitor.exposition.families import Family
from monitor.exposition.labels import LABEL_CACHE_SIZE, LabelPairs, group_labels, resource_labels, tag_labels
from monitor.fleet.fleet import Series

EncodeLabel = Callable[[str, str], bytes]  # encodes a label, given its name and value

METRIC_NAME = "__name__"
TAG_PREFIX = "tag_"  # tags sort after the labels of the resource, and before `unit`


def sorted_labels(family: Family, series: Series) -> LabelPairs:
    """Return all labels of a sample, including `__name__`, sorted by name."""
    return _sorted(
        ((METRIC_NAME, family.name), *_identity(series), *tag_labels(series), *family.labels(series))
    )


def _identity(series: Series) -> LabelPairs:
    return group_labels(series.key[:4]) + resource_labels(series)


def _sorted(labels: Iterable[tuple[str, str]]) -> LabelPairs:
    return tuple(sorted((name, value) for name, value in labels if value))


class LabelEncoder:
    """Encodes the labels of samples. Caches the encoded labels that all samples of a series share."""

    def __init__(self, encode_label: EncodeLabel) -> None:
        self._encode_label = encode_label
        # By slot: the series, its encoded identity, and its encoded tags.
        self._encoded: dict[int, tuple[Series, bytes, bytes]] = {}
        self._around_tags = lru_cache(LABEL_CACHE_SIZE)(self._encode_around_tags)

    def encode(self, family: Family, series: Series) -> bytes:
        """Return `sorted_labels` without `__name__`, encoded."""
        cached = self._encoded.get(series.slot)
        if cached is None or cached[0] is not series:
            cached = self._encoded[series.slot] = (
                series,
                self._encode(_sorted(_identity(series))),
                self._encode(_sorted(tag_labels(series))),
            )
        _, identity, tags = cached
        before_tags, after_tags = self._around_tags(family.labels(series))
        return identity + before_tags + tags + after_tags

    def _encode_around_tags(self, labels: LabelPairs) -> tuple[bytes, bytes]:
        """Encode the labels that sort before tags, and the labels that sort after tags."""
        before = [(name, value) for name, value in _sorted(labels) if name < TAG_PREFIX]
        after = [(name, value) for name, value in _sorted(labels) if name >= TAG_PREFIX]
        return self._encode(before), self._encode(after)

    def _encode(self, labels: Iterable[tuple[str, str]]) -> bytes:
        return b"".join(self._encode_label(*label) for label in labels)
