"""Collectors that know some of their fields, and are loaded at the first use of another one."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from collectors.base import Collector


class LazyCollector(Collector):
    """A collector whose other fields are loaded when they are first used, as most commands need none of them.

    load: returns the same collector with its other fields; it may be a lazy one, too. known: fields by name.
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
        """The collector that knows all of its fields."""
        return self._loaded_once().loaded

    def _loaded_once(self) -> Collector:
        if self._next is None:
            object.__setattr__(self, "_next", self._load())
        assert self._next is not None
        return self._next


def _property(name: str) -> property:
    """Return the property that reads a field."""

    def read(self: LazyCollector) -> Any:
        known = self.known
        return known[name] if name in known else getattr(self._loaded_once(), name)

    return property(read)


for _field in fields(Collector):
    setattr(LazyCollector, _field.name, _property(_field.name))
