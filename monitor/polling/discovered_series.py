"""The series that the inventories of a cell found last."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Self

from monitor.fleet.key import Key

Source = tuple[str, str]  # a service, and the name of the scan function that found a series

NONE: Mapping[Key, Source] = MappingProxyType({})


class DiscoveredSeries:
    """The keys of series, by service, each with the source that found it last.

    By service, as an inventory is of one service, and must not take longer the more others there are.
    """

    def __init__(self) -> None:
        self._by_service: dict[str, dict[Key, Source]] = {}

    def __iter__(self) -> Iterator[Key]:
        """Yield the keys of the series of all services."""
        return (key for found in self._by_service.values() for key in found)

    def __ior__(self, other: Self) -> Self:
        """Add what other inventories found, those before a reload of the configuration."""
        for service, found in other._by_service.items():
            self._by_service.setdefault(service, {}).update(found)
        return self

    def of_service(self, service: str) -> Mapping[Key, Source]:
        """Return the series of a service; it changes as series are added and removed."""
        return self._by_service.get(service, NONE)

    def of_source(self, source: Source) -> list[Key]:
        """Return the series that a source found last."""
        return [key for key, found_by in self.of_service(source[0]).items() if found_by == source]

    def add(self, key: Key, source: Source) -> None:
        """Add a series, or change which source found it last."""
        self._by_service.setdefault(key.service, {})[key] = source

    def remove(self, key: Key) -> None:
        """Remove a series that was found earlier."""
        del self._by_service[key.service][key]
