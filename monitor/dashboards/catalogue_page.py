"""The page that lists every signal by service, and the limits that are not watched, with the reason."""

from collections.abc import Collection, Iterator, Mapping

from collectors.base import Collector
from collectors.metrics_only import ReadableSignal, readable_signals
from collectors.registry import Registry
from monitor.dashboards.families import by_family
from monitor.dashboards.markdown import GENERATED, bullets, link, table
from monitor.render.default_limit import default_limit_text
from monitor.runbooks.service_runbook import service_heading
from rules.not_declared import NotDeclared
from rules.signals import Service, Signal
from rules.sizes import Price

PAGE = "catalogue.md"
COLUMNS = ("signal", "usage", "unit", "kind", "default limit", "quota", "tier", "facts")
EXPLANATION = """A signal is a usage with a limit. Its name links to its runbook.

- **kind**: a `quota` is set by AWS per account and region, or by you; `provisioned` capacity is paid for;
  a `fixed` limit is part of the service's design.
- **default limit**: what AWS documents. It is used only where no API returns the limit in force.
- **quota**: the code in Service Quotas; empty if no code is known, so that the limit is read elsewhere or
  the default is taken.
- **tier**: signals of the tier `core` are read by default. Signals of the tier `detail`, which are about
  parts of resources, are read only if `signals` in the configuration enables them.
- **facts**: `unverified` if some facts about the signal are not confirmed; the runbook names these facts.
  Until AWS has returned data for such a signal, its alerts have the severity `info`.
- **without a role**: the signals that [a monitoring account](linked-accounts.md) reads of other accounts."""

PRICES_EXPLANATION = """[Right sizes](right-size.md) and idle capacity have a list price in the regions named
here, without free tiers, discounts and taxes, as published by the source on the day beside it. In all other
regions, and for the items below the table, no price is known."""


def catalogue_page(registry: Registry, not_declared: NotDeclared) -> str:
    """Return the page of the catalogue in Markdown."""
    services = registry.services.values()
    readable_by_service = {
        collector.service: _readable_signals(collector) for collector in registry.collectors
    }
    signal_count = sum(len(service.signals) for service in services)
    parts = [
        "# Catalogue",
        GENERATED,
        f"Headroom watches {signal_count} signals of {len(services)} services.",
        bullets(_contents(services)),
        EXPLANATION,
    ]
    for family, members in by_family(services):
        parts.append(f"## {family.value.capitalize()}")
        for service in members:
            parts += [
                *_service_section(service),
                *_signals_without_role(readable_by_service[service.service]),
            ]
    return "\n\n".join([*parts, *_prices(services), *_not_watched(not_declared)]) + "\n"


def service_table(services: Collection[Service]) -> str:
    """Return a table with one row per service, for a page in the folder of the catalogue page."""
    rows = [
        (
            family.value,
            link(service.title, PAGE, service_heading(service)),
            f"`{service.service}`",
            str(len(service.signals)),
        )
        for family, members in by_family(services)
        for service in members
    ]
    return table(("family", "service", "name", "signals"), rows)


def _contents(services: Collection[Service]) -> Iterator[str]:
    for family, members in by_family(services):
        links = ", ".join(link(service.title, "", service_heading(service)) for service in members)
        yield f"**{family.value.capitalize()}**: {links}"


def _service_section(service: Service) -> Iterator[str]:
    yield f"### {service_heading(service)}"
    yield table(COLUMNS, map(_signal_row, service.signals.values()))


def _readable_signals(collector: Collector) -> Mapping[str, ReadableSignal]:
    return readable_signals(collector.declaration) if collector.declaration else {}


def _signals_without_role(readable: Mapping[str, ReadableSignal]) -> Iterator[str]:
    """Yield the sentence on the signals that are read without a role; nothing if there are none."""
    with_limit = [f"`{name}`" for name, signal in readable.items() if not signal.lacks_limit]
    without_limit = [f"`{name}`" for name, signal in readable.items() if signal.lacks_limit]
    needing_a_limit = [f"{', '.join(without_limit)} with a limit in `limits`"] if without_limit else []
    if readable:
        yield f"Without a role: {', '.join([*with_limit, *needing_a_limit])}."


def _signal_row(signal: Signal) -> tuple[str, ...]:
    return (
        link(f"`{signal.name}`", f"runbooks/{signal.service}.md", signal.id),
        signal.title,
        str(signal.unit),
        signal.kind.value,
        default_limit_text(signal),
        signal.quota.code if signal.quota else "",
        signal.tier.value,
        "unverified" if signal.unverified else "",
    )


def _prices(services: Collection[Service]) -> Iterator[str]:
    """Yield the section on the prices that are known."""
    yield "## Prices"
    yield PRICES_EXPLANATION
    rows = {
        (service.title, size.item, *_quotation(price))
        for service in services
        for signal in service.signals.values()
        for size in signal.sizes.values()
        for price in size.prices
    }
    yield table(("service", "item", "list price", "source", "day"), sorted(rows))
    for heading, are_maxima in (
        ("Without a known price:", False),
        ("Maxima, which cost nothing themselves; AWS bills what is used below them:", True),
    ):
        unpriced = {
            f"{service.title}: {size.item}{f' (`{name}`)' if len(signal.sizes) > 1 else ''}"
            for service in services
            for signal in service.signals.values()
            for name, size in signal.sizes.items()
            if not size.prices and size.is_maximum is are_maxima
        }
        yield heading
        yield bullets(sorted(unpriced))


def _quotation(price: Price) -> tuple[str, str, str]:
    """Return the price of an item by region, the link to its source, and its day."""
    unit = "hour" if price.hourly else "month"
    by_region = {**price.hourly, **price.monthly}
    numbers = ", ".join(f"{region} ${number:.8g}" for region, number in by_region.items())
    publisher = "awslabs" if price.source.startswith("https://github.com/") else "AWS"
    return f"{numbers} per {unit}", f"[{publisher}]({price.source})", str(price.read_on)


def _not_watched(not_declared: NotDeclared) -> Iterator[str]:
    yield "## What is not watched"
    yield (
        "Signals that Headroom does not have, by the name that they would have, and services without any "
        "signal, with the reason. If a signal covers only a part of a limit, the caveats in its runbook say "
        "so."
    )
    yield table(("signal", "reason"), [(f"`{name}`", why) for name, why in not_declared.signals.items()])
    yield table(("service", "reason"), not_declared.services.items())
