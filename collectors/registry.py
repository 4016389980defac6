"""The registry: the services that Headroom knows, each with its catalogue entry and its collector."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from collectors.base import Collector, ServiceScope
from collectors.metric_bounds import MetricBounds
from rules.signals import Quota, Service, Signal

# Reads that belong to no service, and are reported like services: their titles, by name.
TAGS, LINKS, ACTIVITY = "tags", "links", "activity"
NON_SERVICE_READS: Mapping[str, str] = {
    TAGS: "tags of resources",
    LINKS: "linked accounts",
    ACTIVITY: "lists of recently active metrics",
}


@dataclass(frozen=True, eq=False)
class Registry:
    """The known services; `build_registry` makes a registry. Compared by identity.

    services: the catalogue's entries by name. collectors: one for each service, in order of precedence: a
    metric that several services read is charged to the service of the first of these collectors.
    """

    services: Mapping[str, Service]
    collectors: tuple[Collector, ...]

    @cached_property
    def service_names(self) -> tuple[str, ...]:
        """The names of the services, in the order of their collectors."""
        return tuple(collector.service for collector in self.collectors)

    @cached_property
    def signals(self) -> tuple[Signal, ...]:
        """Every signal of every service, in the catalogue's order."""
        return tuple(signal for service in self.services.values() for signal in service.signals.values())

    @cached_property
    def signal_names(self) -> tuple[str, ...]:
        """The names of the signals as in the configuration: `name` and `service.name`."""
        return tuple(name for signal in self.signals for name in (signal.name, signal.id))

    @cached_property
    def bounds(self) -> MetricBounds:
        """The rules by which aggregates bound metrics."""
        return MetricBounds.of(bound for service in self.services.values() for bound in service.bounded_by)

    def signal(self, service: str, name: str) -> Signal:
        """Return a signal of a service. Raises KeyError for an unknown service or signal."""
        return self.services[service].signals[name]

    def title(self, service: str) -> str:
        """Return AWS's name of a service, or the title in NON_SERVICE_READS; an unknown name as it is."""
        entry = self.services.get(service)
        return entry.title if entry else NON_SERVICE_READS.get(service, service)

    def collectors_of(self, services: Container[str]) -> list[Collector]:
        """Return the collectors of these services, in order; unknown services are left out."""
        return [collector for collector in self.collectors if collector.service in services]

    def scope_of(self, service: str) -> ServiceScope:
        """Return the scope of a service. Raises KeyError for an unknown service."""
        return self._scopes[service]

    @cached_property
    def _scopes(self) -> Mapping[str, ServiceScope]:
        return {collector.service: collector.scope for collector in self.collectors}

    def scopes_of(self, services: Container[str]) -> frozenset[ServiceScope]:
        """Return the scopes in which these services are read; unknown services are left out."""
        return frozenset(scope for collector in self.collectors_of(services) for scope in collector.scopes)

    def is_read_globally(self, service: str) -> bool:
        """Return whether a service is read in the cell of global services, and perhaps in other cells."""
        return ServiceScope.GLOBAL in self.scopes_of({service})

    def quotas(self, services: Iterable[str]) -> set[Quota]:
        """Return the quotas that signals of these services name. Raises KeyError for an unknown service."""
        return {quota for service in services for quota in self._quotas[service]}

    @cached_property
    def _quotas(self) -> Mapping[str, frozenset[Quota]]:
        return {
            name: frozenset(signal.quota for signal in service.signals.values() if signal.quota)
            for name, service in self.services.items()
        }

    def quota_services(self, services: Iterable[str]) -> set[str]:
        """Return the service codes of these services' quotas. Raises KeyError for an unknown service."""
        return {code for service in services for code in self._quota_services[service]}

    @cached_property
    def _quota_services(self) -> Mapping[str, frozenset[str]]:
        return {
            name: frozenset((*service.quota_services, *(quota.service for quota in self._quotas[name])))
            for name, service in self.services.items()
        }

    def quota_scope(self, service_code: str) -> ServiceScope:
        """Return the scope of the quotas of a service code: GLOBAL if all services of the code are global."""
        return self._quota_scopes.get(service_code, ServiceScope.REGION)

    @cached_property
    def _quota_scopes(self) -> Mapping[str, ServiceScope]:
        codes_by_service = {service: self.quota_services([service]) for service in self.service_names}
        regional_codes = {
            code
            for service, codes in codes_by_service.items()
            if self.scope_of(service) is ServiceScope.REGION
            for code in codes
        }
        return {
            code: ServiceScope.REGION if code in regional_codes else ServiceScope.GLOBAL
            for codes in codes_by_service.values()
            for code in codes
        }


def build_registry(collectors: Iterable[Collector], services: Iterable[Service]) -> Registry:
    """Return the registry of these services. Raises ValueError with all problems.

    Each service needs exactly one collector and one entry in the catalogue.
    """
    collectors, services = tuple(collectors), tuple(services)
    collector_names = [collector.service for collector in collectors]
    entry_names = [service.service for service in services]
    problems = [
        *_repetition_problems("collector", collector_names),
        *_repetition_problems("entry in the catalogue", entry_names),
        *(
            f"{name}: expected an entry in the catalogue, found none"
            for name in _names_not_in(collector_names, entry_names)
        ),
        *(
            f"{name}: expected a collector, found none"
            for name in _names_not_in(entry_names, collector_names)
        ),
    ]
    by_name = {service.service: service for service in services}
    for collector in collectors:
        if collector.service in by_name:
            problems += _signal_problems(collector, by_name[collector.service])
    if problems:
        raise ValueError("; ".join(problems))
    return Registry(MappingProxyType(by_name), collectors)


def _signal_problems(collector: Collector, service: Service) -> Iterator[str]:
    """Yield a problem for each signal that only the declared collector or only the catalogue has."""
    if collector.signals:
        for name in _names_not_in(sorted(collector.signals), service.signals):
            yield f"{service.service}.{name}: expected an entry in the catalogue, found none"
        for name in _names_not_in(service.signals, collector.signals):
            yield f"{service.service}.{name}: expected a signal of the collector, found none"


def _repetition_problems(noun: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{name}: expected one {noun}, found {count}"


def _names_not_in(names: Iterable[str], others: Iterable[str]) -> list[str]:
    """Return the names that are not in `others`, each once."""
    return list(dict.fromkeys(name for name in names if name not in others))
