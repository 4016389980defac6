"""The loop that reads the quotas of a cell, in simulated time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

from collectors.base import Aws, Observed
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.inventory import Inventory
from monitor.polling.quota_book import QUOTA_INTERVAL, QuotaBook
from monitor.polling.reader import MetricReader
from monitor.polling.timings import PollingTimings
from tests.fake_aws import FakeAws
from tests.monitor.polling.inventories import collector
from tests.monitor.polling.service_quotas import GET, HISTORY, LIST, THROTTLED, ServiceQuotas
from tests.quick_loop import QUICK_TIMINGS, run
from tests.registries import METRIC_SERVICES, REGISTRY
from tests.resources import resource
from tests.telemetries import Telemetries

DENIED = "AccessDeniedException"
QUOTAS = REGISTRY.quotas(["sqs"])  # a single quota


async def scan_of_queue(aws: Aws) -> AsyncIterator[Observed]:
    """Observe a queue."""
    yield Observed(signal="standard_in_flight", resource=resource("jobs"), usage=1.0)


def watcher_of(
    service: ServiceQuotas, timings: PollingTimings = QUICK_TIMINGS
) -> tuple[CellWatcher, FakeAws]:
    """Return a watcher of a cell with quotas and a queue but without metrics, and the fake AWS."""
    aws, fleet = FakeAws(**service.answers), Fleet()
    inventory = Inventory(aws.cell, fleet, Config(), REGISTRY, QuotaBook(aws.cell, QUOTAS))
    reader, telemetry = MetricReader(aws.cell, fleet, METRIC_SERVICES), Telemetries().process
    return CellWatcher(inventory, reader, [collector(scan_of_queue, service="sqs")], telemetry, timings), aws


def calls_within(
    seconds: float, service: ServiceQuotas, timings: PollingTimings = QUICK_TIMINGS
) -> Counter[str]:
    """Return the number of calls that a watcher makes in its first `seconds`, by operation."""

    async def main() -> Counter[str]:
        watcher, aws = watcher_of(service, timings)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await watcher.run(Config())
        return Counter(aws.calls)

    calls: Counter[str] = run(main())
    return calls


def test_quotas_are_read_every_few_hours_however_many_inventories_run() -> None:
    calls = calls_within(2 * QUOTA_INTERVAL + 3600, ServiceQuotas(dict.fromkeys(QUOTAS, 1.0)))
    assert calls == {LIST: 3, HISTORY: 3}


def test_after_a_failure_quotas_are_read_again_as_often_as_inventories_run() -> None:
    calls = calls_within(3600, ServiceQuotas(denials={LIST: THROTTLED}))
    assert 6 <= calls[LIST] <= 8
    assert calls[HISTORY] == 1


def test_after_a_denial_another_reading_confirms_it_soon() -> None:
    timings = replace(QUICK_TIMINGS, quota_retry_interval=1e9, confirmation_delay=60.0)
    denying_service = ServiceQuotas(denials={LIST: DENIED, GET: DENIED})
    assert calls_within(59, denying_service, timings)[LIST] == 1
    assert calls_within(61, denying_service, timings)[LIST] == 2


async def test_a_single_run_reads_the_quotas_and_the_pending_requests() -> None:
    watcher, aws = watcher_of(ServiceQuotas(dict.fromkeys(QUOTAS, 1.0), requests=dict.fromkeys(QUOTAS, 2.0)))
    await watcher.run_inventory()
    assert Counter(aws.calls) == {LIST: 1, HISTORY: 1}
    assert [watcher.inventory.quotas.request_for(quota) is not None for quota in QUOTAS] == [True]
