"""Which signals are read: all of the tier core, and those of the tier detail that the configuration names."""

from collections.abc import Iterable, Iterator

from pydantic import Field

from collectors.base import Collector
from collectors.registry import Registry
from monitor.schema.problems import Problem
from monitor.schema.selector import Selector
from monitor.schema.types import ConfigModel, SignalPattern
from rules.limits import Signal, Tier


class SignalSettings(ConfigModel):
    """The block `signals`."""

    detail: bool = Field(default=False, description="Read all signals of the tier detail.")
    enabled: tuple[SignalPattern, ...] = Field(
        default=(),
        description="Signals of the tier detail to read: names or patterns, such as ebs.volume_* or ec2.*.",
    )

    def includes(self, signal: Signal) -> bool:
        """Return whether a signal is read."""
        return signal.tier is Tier.CORE or self.detail or any(_matches(one, signal) for one in self.enabled)

    def reduced(self, collector: Collector, registry: Registry) -> Collector:
        """Return a collector without the calls and metrics that only signals need which are not read."""
        signals = registry.services[collector.service].signals.values()
        return collector.of_signals({one.name for one in signals if self.includes(one)})


def _matches(pattern: str, signal: Signal) -> bool:
    return Selector.model_construct(signal=pattern).matches_signal(signal.service, signal.name)


def ineffective_patterns(settings: SignalSettings, signals: Iterable[Signal]) -> Iterator[Problem]:
    """Yield a problem for each entry of `enabled` that enables nothing. signals: of the catalogue."""
    details = [signal for signal in signals if signal.tier is Tier.DETAIL]
    for index, pattern in enumerate(settings.enabled):
        if not any(_matches(pattern, signal) for signal in details):
            sentence = f"expected a signal of the tier detail, found {pattern}: all others are read anyway"
            yield Problem(("signals", "enabled", index), sentence)
