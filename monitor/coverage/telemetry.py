"""The exported family of the coverage of quotas."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from monitor.coverage.quota_coverage import QuotaCoverage
from monitor.lib.telemetry import SnapshotGauge

LABELS = ("account", "region", "service_code", "state")


class CoverageTelemetry:
    """The number of quotas by account, region, service code and state."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._coverage = SnapshotGauge(
            "headroom_quota_coverage",
            "Quotas of the services in use, by state: watched, stale, not_permitted, not_enabled, "
            "value_only, no_usage_source; see `headroom coverage`.",
            LABELS,
        )
        registry.register(self._coverage)

    def count(self, quotas: Iterable[QuotaCoverage]) -> None:
        """Export the numbers of these quotas in place of the previous numbers."""
        numbers = Counter(
            (quota.account, quota.region, quota.service_code, str(quota.state)) for quota in quotas
        )
        self._coverage.replace({labels: float(number) for labels, number in numbers.items()})
