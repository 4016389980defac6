"""The signals that are read: all signals of the tier core, and configured signals of the tier detail."""

from collections.abc import Iterable, Iterator, Set
from fnmatch import fnmatchcase
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from collectors.base import Collector
from collectors.registry import Registry
from monitor.schema.problems import Problem, unexpected
from monitor.schema.selector import Selector
from monitor.schema.types import ConfigModel, SignalPattern, Text, registry_of
from rules.signals import Signal, Tier


@cache
def known_service_codes(registry: Registry) -> frozenset[str]:
    """Return the service codes of the catalogue, and of the quotas whose resources Headroom can count.

    The first call takes long.
    """
    from collectors.service_quotas.count_file import read_counts  # noqa: PLC0415 - slow, and seldom needed

    counted_codes = {quota.service for quota in read_counts()}
    return frozenset(counted_codes | registry.quota_services(registry.service_names))


def _checked_service_code_pattern(value: str, info: ValidationInfo) -> str:
    registry = registry_of(info)
    if registry and not any(fnmatchcase(code, value) for code in known_service_codes(registry)):
        codes = sorted(known_service_codes(registry))
        raise unexpected("a service code of Service Quotas, such as glue", value, codes)
    return value


ServiceCodePattern = Annotated[Text, AfterValidator(_checked_service_code_pattern)]


class SignalSettings(ConfigModel):
    """The block `signals`: signals and quotas to read beyond the default."""

    detail: bool = Field(default=False, description="Read all signals of the tier detail.")
    enabled: tuple[SignalPattern, ...] = Field(
        default=(),
        description="Signals of the tier detail to read: names or patterns, such as ebs.volume_* or ec2.*.",
    )
    quotas: tuple[ServiceCodePattern, ...] = Field(
        default=(),
        description="Services, as service codes of Service Quotas or patterns such as workspaces*, whose "
        "quotas are listed and counted even if nothing shows that the service is in use.",
    )

    def quota_services(self, registry: Registry) -> Set[str]:
        """Return the service codes whose quotas are read even where the service is not in use."""
        if not self.quotas:
            return frozenset()
        known = known_service_codes(registry)
        return {code for code in known if any(fnmatchcase(code, pattern) for pattern in self.quotas)}

    def includes(self, signal: Signal) -> bool:
        """Return whether a signal is read."""
        return (
            signal.tier is Tier.CORE
            or self.detail
            or any(_matches(pattern, signal) for pattern in self.enabled)
        )

    def without_unread_signals(self, collector: Collector, registry: Registry) -> Collector:
        """Return a collector without the calls and metrics that only unread signals need."""
        signals = registry.services[collector.service].signals.values()
        return collector.of_signals({signal.name for signal in signals if self.includes(signal)})


def _matches(pattern: str, signal: Signal) -> bool:
    return Selector.model_construct(signal=pattern).matches_signal(signal.service, signal.name)


def ineffective_patterns(settings: SignalSettings, signals: Iterable[Signal]) -> Iterator[Problem]:
    """Yield a problem for each entry of `enabled` that enables none of the catalogue's `signals`."""
    detail_signals = [signal for signal in signals if signal.tier is Tier.DETAIL]
    for index, pattern in enumerate(settings.enabled):
        if not any(_matches(pattern, signal) for signal in detail_signals):
            sentence = (
                f"expected a signal of the tier detail, found {pattern}: "
                "signals of the tier core are read in any case"
            )
            yield Problem(("signals", "enabled", index), sentence)
