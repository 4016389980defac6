"""The registry of the built-in services, which most tests use, and objects that are made of it."""

import pytest

from collectors.builtin import builtin_registry
from monitor.fleet.key import Key
from monitor.polling.metric_services import MetricServices
from monitor.stream.declared_metrics import DeclaredMetrics
from rules.signals import Signal

REGISTRY = builtin_registry()
SIGNALS = {signal.id: signal for signal in REGISTRY.signals}
# One test for each service: with one for each signal, starting the tests would take longer than the checks.
each_service = pytest.mark.parametrize(
    "service", REGISTRY.services.values(), ids=lambda service: service.service
)
STREAM_WRITE_BYTES = SIGNALS["kinesis.stream_write_bytes"]  # for series whose signal does not matter
DECLARED = DeclaredMetrics.of(REGISTRY.collectors)
METRIC_SERVICES = MetricServices(REGISTRY.collectors)


def signal_of(key: Key) -> Signal:
    """The catalogue's entry of the signal of a series."""
    return REGISTRY.signal(key.service, key.signal)
