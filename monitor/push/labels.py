"""Labels of exported samples as protocols need them: sorted by name, without empty ones."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from monitor.exposition import LABELS_KEPT, Family
from monitor.fleet import Key, Series

Pair = tuple[str, str]
Encode = Callable[[str, str], bytes]

NAME = "__name__"
PAIR = re.compile(rb'(\w+)="((?:[^"\\]|\\.)*)"')
ESCAPED = re.compile(rb"\\(.)")
TAGS = "tag_"  # what labels made of tags begin with: after those of the key, before `unit`
RAW = {b"n": b"\n"}


def told(text: bytes) -> list[Pair]:
    """The labels in a piece of the exposition's text."""
    found = PAIR.findall(text)
    return [(name.decode(), ESCAPED.sub(_unescaped, value).decode()) for name, value in found]


def _unescaped(match: re.Match[bytes]) -> bytes:
    return RAW.get(match[1], match[1])


def pairs(family: Family, series: Series) -> list[Pair]:
    """All labels of a family's sample, sorted."""
    own = told(family.own(series))
    return sorted([(NAME, family.name), *_key(series), *_tags(series), *own])


def _key(series: Series) -> Iterator[Pair]:
    return (pair for pair in sorted(zip(Key._fields, series.key, strict=True)) if pair[1])


def _tags(series: Series) -> Iterator[Pair]:
    return (pair for pair in sorted(series.ruling.tags.items()) if pair[1])


class Labels:
    """The same labels but the name, encoded one by one by `encode`; a series' own are kept."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._kept: dict[int, tuple[Series, bytes, bytes]] = {}
        self._own = lru_cache(LABELS_KEPT)(self._around_tags)

    def of(self, family: Family, series: Series) -> bytes:
        """All but the name, in the order of `pairs`."""
        kept = self._kept.get(series.place)
        if kept is None or kept[0] is not series:
            key, tags = self._all(_key(series)), self._all(_tags(series))
            kept = self._kept[series.place] = series, key, tags
        before, after = self._own(family.own(series))
        return kept[1] + before + kept[2] + after

    def _around_tags(self, text: bytes) -> tuple[bytes, bytes]:
        own = sorted(told(text))
        before = [pair for pair in own if pair[0] < TAGS]
        return self._all(iter(before)), self._all(iter(own[len(before) :]))

    def _all(self, some: Iterator[Pair]) -> bytes:
        return b"".join(self._encode(*pair) for pair in some)
