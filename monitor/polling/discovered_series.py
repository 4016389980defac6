"""The series that the last inventories of a cell found."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Self

from monitor.fleet.key import Key

Source = tuple[str, str]  # a service, and the name of the scan function that found a series

NO_SERIES: Mapping[Key, Source] = MappingProxyType({})


class DiscoveredSeries:
    """The keys of series, each with the source that found the series last.

    The keys are grouped by service: an inventory reads one service, and must not slow down with the number of
    series of other services.
    """

    def __init__(self) -> None:
        self._by_service: dict[str, dict[Key, Source]] = {}

    def __iter__(self) -> Iterator[Key]:
        """Yield the keys of the series of all services."""
        return (key for sources in self._by_service.values() for key in sources)

    def __ior__(self, other: Self) -> Self:
        """Add the series that the inventories before a reload of the configuration found."""
        for service, sources in other._by_service.items():
            self._by_service.setdefault(service, {}).update(sources)
        return self

    def of_service(self, service: str) -> Mapping[Key, Source]:
        """Return a live view of the series of a service."""
        return self._by_service.get(service, NO_SERIES)

    def of_source(self, source: Source) -> list[Key]:
        """Return the series that `source` found last."""
        return [key for key, last_source in self.of_service(source[0]).items() if last_source == source]

    def add(self, key: Key, source: Source) -> None:
        """Add a series, or replace the source of a known series."""
        self._by_service.setdefault(key.service, {})[key] = source

    def remove(self, key: Key) -> None:
        """Remove a series. Raises KeyError if the series is unknown."""
        del self._by_service[key.service][key]
