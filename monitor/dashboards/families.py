"""The services by family."""

from collections.abc import Collection, Iterator

from rules.signals import Service, ServiceFamily


def by_family(services: Collection[Service]) -> Iterator[tuple[ServiceFamily, list[Service]]]:
    """Yield each family that has services, with its services in the order of their titles."""
    for family in ServiceFamily:
        members = [service for service in services if service.family is family]
        if members:
            yield family, sorted(members, key=lambda service: (service.title.casefold(), service.service))
