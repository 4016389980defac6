"""Collectors that know some of their fields, and load the other fields at their first use."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from collectors.base import Collector


class LazyCollector(Collector):
    """A collector that loads its other fields at their first use: most commands use only its known fields.

    load: returns the same collector with all fields, or as a LazyCollector that knows more fields.
    known_fields: the values of the known fields, by name.
    """

    __slots__ = ("_collector", "_load", "known_fields")
    known_fields: Mapping[str, Any]
    _load: Callable[[], Collector]
    _collector: Collector | None

    def __init__(self, load: Callable[[], Collector], **known_fields: Any) -> None:
        for name, value in (
            ("known_fields", MappingProxyType(known_fields)),
            ("_load", load),
            ("_collector", None),
        ):
            object.__setattr__(self, name, value)

    @property
    def loaded_collector(self) -> Collector:
        """The loaded collector, which has all fields."""
        return self._loaded_once().loaded_collector

    def _loaded_once(self) -> Collector:
        if self._collector is None:
            object.__setattr__(self, "_collector", self._load())
        assert self._collector is not None
        return self._collector


def _property(name: str) -> property:
    """Return a property that reads a known field, or else the field of the loaded collector."""

    def read(self: LazyCollector) -> Any:
        known_fields = self.known_fields
        return known_fields[name] if name in known_fields else getattr(self._loaded_once(), name)

    return property(read)


for _field in fields(Collector):
    setattr(LazyCollector, _field.name, _property(_field.name))
