"""The loop that reads the quotas of a cell, against a clock that jumps to the next timer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

from collectors.base import Aws, Observed
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.inventory import Inventory
from monitor.polling.quota_book import QUOTA_INTERVAL, QuotaBook
from monitor.polling.reader import MetricReader
from monitor.polling.timings import DEFAULT_TIMINGS, PollingTimings
from tests.fake_aws import FakeAws
from tests.monitor.polling.inventories import collector
from tests.monitor.polling.service_quotas import GET, HISTORY, LIST, THROTTLED, ServiceQuotas
from tests.quick_loop import run
from tests.registries import OWNERS, REGISTRY
from tests.resources import resource as of
from tests.telemetries import Telemetries

DENIED = "AccessDeniedException"
QUOTAS = REGISTRY.quotas(["sqs"])  # one


async def queue(aws: Aws) -> AsyncIterator[Observed]:
    """Observe a queue."""
    yield Observed(signal="standard_in_flight", resource=of("jobs"), usage=1.0)


def watcher(service: ServiceQuotas, timings: PollingTimings = DEFAULT_TIMINGS) -> tuple[CellWatcher, FakeAws]:
    """A watcher of a cell that has quotas, a queue, and no metrics."""
    aws, fleet = FakeAws(**service.answers), Fleet()
    inventory = Inventory(aws.cell, fleet, Config(), REGISTRY, QuotaBook(aws.cell, QUOTAS))
    reader, telemetry = MetricReader(aws.cell, fleet, OWNERS), Telemetries().process
    return CellWatcher(inventory, reader, [collector(queue, service="sqs")], telemetry, timings), aws


def calls_within(
    seconds: float, service: ServiceQuotas, timings: PollingTimings = DEFAULT_TIMINGS
) -> Counter[str]:
    """The calls that a watcher makes in its first seconds."""

    async def main() -> Counter[str]:
        watch, aws = watcher(service, timings)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await watch.run(Config())
        return Counter(aws.calls)

    calls: Counter[str] = run(main())
    return calls


def test_quotas_are_read_every_few_hours_however_many_inventories_there_are() -> None:
    calls = calls_within(2 * QUOTA_INTERVAL + 3600, ServiceQuotas(dict.fromkeys(QUOTAS, 1.0)))
    assert calls == {LIST: 3, HISTORY: 3}


def test_a_quota_that_cannot_be_read_is_tried_again_as_often_as_an_inventory_runs() -> None:
    calls = calls_within(3600, ServiceQuotas(denials={LIST: THROTTLED}))
    assert 6 <= calls[LIST] <= 8
    assert calls[HISTORY] == 1


def test_a_denial_is_confirmed_soon_by_another_reading() -> None:
    timings = PollingTimings(quota_retry_interval=1e9, confirmation_delay=60.0)
    denied = ServiceQuotas(denials={LIST: DENIED, GET: DENIED})
    assert calls_within(59, denied, timings)[LIST] == 1
    assert calls_within(61, denied, timings)[LIST] == 2


async def test_a_single_run_reads_the_quotas_and_the_pending_requests() -> None:
    watch, aws = watcher(ServiceQuotas(dict.fromkeys(QUOTAS, 1.0), requests=dict.fromkeys(QUOTAS, 2.0)))
    await watch.run_inventory()
    assert Counter(aws.calls) == {LIST: 1, HISTORY: 1}
    assert [watch.inventory.quotas.request_for(quota) is not None for quota in QUOTAS] == [True]
