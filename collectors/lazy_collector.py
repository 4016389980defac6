"""Collectors that know some of their fields, and load the other fields at their first use."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from collectors.base import Collector


class LazyCollector(Collector):
    """A collector that loads its unknown fields at their first use, as most commands use only known fields.

    load: returns the same collector with its other fields; the result may itself be a LazyCollector.
    known: the values of the known fields, by name.
    """

    __slots__ = ("_load", "_next", "known")
    known: Mapping[str, Any]
    _load: Callable[[], Collector]
    _next: Collector | None

    def __init__(self, load: Callable[[], Collector], **known: Any) -> None:
        for name, value in (("known", MappingProxyType(known)), ("_load", load), ("_next", None)):
            object.__setattr__(self, name, value)

    @property
    def loaded(self) -> Collector:
        """The loaded collector, which has all fields."""
        return self._loaded_once().loaded

    def _loaded_once(self) -> Collector:
        if self._next is None:
            object.__setattr__(self, "_next", self._load())
        assert self._next is not None
        return self._next


def _property(name: str) -> property:
    """Return a property that reads a known field, or else the field of the loaded collector."""

    def read(self: LazyCollector) -> Any:
        known = self.known
        return known[name] if name in known else getattr(self._loaded_once(), name)

    return property(read)


for _field in fields(Collector):
    setattr(LazyCollector, _field.name, _property(_field.name))
