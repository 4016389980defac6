"""Metrics about the calls to AWS, the clocks, the inventories and the polls."""

import collections
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge

from collectors.base import GLOBAL_REGION
from collectors.quota_requests import QuotaRequest, RequestedQuota
from monitor.lib.label_names import exported_names
from monitor.lib.telemetry import SnapshotGauge
from monitor.lib.text import replace_surrogates

CELL_LABELS = exported_names(("account", "region"))
SERVICE_LABELS = exported_names(("account", "region", "service"))


class QuotaRequestTelemetry:
    """The exported gauge of requests for quota increases."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._by_cell: dict[tuple[str, str], Mapping[tuple[str, ...], float]] = {}
        self._gauge = SnapshotGauge(
            "headroom_quota_request",
            "Requested value of a quota, in its unit in Service Quotas, by status of the request, until 30 "
            "days after its decision; context_id is the ARN of the resource, if the request is for one.",
            ("account", "region", "service_code", "quota_code", "context_id", "status"),
        )
        registry.register(self._gauge)

    def replace(
        self, cell: tuple[str, str], listed_in: str, requests: Mapping[RequestedQuota, QuotaRequest]
    ) -> None:
        """Export these requests as the only requests of a cell.

        listed_in: the region whose list has the requests. Two cells read the list of the home region: the
        cell of the region, and the cell of the global services. Each of these requests is exported once,
        under the region of its quota.
        """
        account, _ = cell
        self._by_cell[cell] = {
            (
                account,
                GLOBAL_REGION if request.is_global else listed_in,
                *map(replace_surrogates, _labels(quota, request)),
            ): request.desired
            for quota, request in requests.items()
        }
        self._export()

    def forget(self, account: str, region: str) -> None:
        """Remove the requests of a cell from the export."""
        if self._by_cell.pop((account, region), None):
            self._export()

    def _export(self) -> None:
        self._gauge.replace(
            {labels: value for cell in self._by_cell.values() for labels, value in cell.items()}
        )


def _labels(requested: RequestedQuota, request: QuotaRequest) -> tuple[str, ...]:
    return requested.quota.service, requested.quota.code, requested.arn, request.status


class CallRateTelemetry:
    """The exported gauge of the rates of calls that AWS has throttled."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rates: Mapping[tuple[str, ...], float] = {}
        self._gauge = SnapshotGauge(
            "headroom_aws_call_rate_limit",
            "Highest rate of calls per second now, for a service or operation that AWS has throttled since "
            "the start; region is empty if all regions share the rate.",
            ("account", "region", "service", "operation"),
        )
        registry.register(self._gauge)

    def set(self, account: str, region: str, key: str, rate: float) -> None:
        """Export the rate of calls to `key`, which is `service` or `service:Operation`."""
        service, _, operation = key.partition(":")
        self._export({**self._rates, (account, region, service, operation): rate})

    def forget(self, account: str, region: str) -> None:
        """Remove the rates of a cell from the export."""
        self._export(
            {labels: rate for labels, rate in self._rates.items() if labels[:2] != (account, region)}
        )

    def _export(self, rates: Mapping[tuple[str, ...], float]) -> None:
        """Export a mapping that never changes: a scrape reads it in a thread."""
        self._rates = rates
        self._gauge.replace(rates)


class AwsTelemetry:
    """Counters and gauges about reading from AWS."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        self.calls = counter(
            "headroom_aws_calls",
            "Calls to AWS, retries included, by service, operation and error code (empty without an error).",
            exported_names(("service", "operation", "code")),
        )
        self.metrics_requested = counter(
            "headroom_metrics_requested",
            "CloudWatch metrics requested with GetMetricData, the unit that AWS bills.",
            SERVICE_LABELS,
        )
        self.metric_listings = counter(
            "headroom_list_metrics_requests",
            "Calls of ListMetrics, each of which AWS bills after a million free ones a month.",
            SERVICE_LABELS,
        )
        self.partitions: dict[str, str] = {}  # by account; decides which prices the account pays
        self.metrics_by_account = collections.Counter[str]()
        self.listings_by_account = collections.Counter[str]()
        self.decode_errors = counter(
            "headroom_decode_errors", "Results of CloudWatch that could not be used, by reason.", ["reason"]
        )
        self.points = counter(
            "headroom_points",
            "Points of metrics by source (stream, poll) and outcome: written, late (before the window), "
            "future, unused (no signal uses the metric), unknown (no such series), unit (not the metric's), "
            "missing (not a number).",
            ["source", "outcome"],
        )
        self._add_times(gauge)
        self.account_up = SnapshotGauge(
            "headroom_account_up",
            "1 if an account can be read; 0 without access, or when all its regions failed twice in a row.",
            ["account"],
        )
        registry.register(self.account_up)
        self.quota_requests = QuotaRequestTelemetry(registry)
        self.call_rates = CallRateTelemetry(registry)

    def _add_times(self, gauge: Callable[..., Gauge]) -> None:
        self.inventory_time = gauge(
            "headroom_inventory_timestamp_seconds",
            "Time at which the inventory of a service last ended without a failure, in epoch seconds.",
            SERVICE_LABELS,
        )
        self.poll_time = gauge(
            "headroom_poll_timestamp_seconds",
            "Time at which all due metrics of a cell were last read without a failure, in epoch seconds; "
            "absent while the cell has no metrics.",
            CELL_LABELS,
        )
        self.clock_skew = gauge(
            "headroom_clock_skew_seconds",
            "Seconds by which this machine's clock is ahead of AWS's clock; negative if behind.",
            CELL_LABELS,
        )

    def set_accounts_up(self, accounts_up: Mapping[str, bool]) -> None:
        """Export 1 for each account that can be read, 0 for each other account of the mapping."""
        self.account_up.replace({(account,): float(up) for account, up in accounts_up.items()})

    def forget(self, account: str, region: str, services: Iterable[str]) -> None:
        """Remove the gauges of a cell from the export. Its counters stay, as they count spent money."""
        self.quota_requests.forget(account, region)
        self.call_rates.forget(account, region)
        for gauge in (self.poll_time, self.clock_skew):
            with suppress(KeyError):
                gauge.remove(account, region)
        for service in services:
            with suppress(KeyError):
                self.inventory_time.remove(account, region, service)

    def count_requested_metrics(self, account: str, region: str, service: str, metrics: int) -> None:
        """Count metrics requested of GetMetricData on behalf of a service."""
        self.metrics_by_account[account] += metrics
        self.metrics_requested.labels(account, region, service).inc(metrics)

    def count_metric_listing(self, account: str, region: str, service: str) -> None:
        """Count a call of ListMetrics on behalf of a service."""
        self.listings_by_account[account] += 1
        self.metric_listings.labels(account, region, service).inc()
