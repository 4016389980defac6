"""The watcher reads the demo's AWS, a separate process: three regions, one of which denies every call."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from collectors.base import Aws, Collector, Observed
from collectors.registry import TAGS
from monitor.aws.cell_factory import open_cells
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.lib.telemetry import ProcessTelemetry
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.inventory import Inventory
from monitor.polling.quota_book import QuotaBook
from monitor.polling.reader import MetricReader
from monitor.polling.timings import DEFAULT_TIMINGS, PollingTimings
from monitor.polling.watcher import Watcher
from rules.limits import LimitSource
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.background import background
from tests.monitor.polling.inventories import SQS, inventory_of
from tests.registries import METRIC_SERVICES, REGISTRY
from tests.resources import resource
from tests.telemetries import Telemetries

ACCOUNT_ID = "123456789012"
ROLE = "arn:aws:iam::210987654321:role/headroom"
DENIED_REGION = "ap-southeast-2"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set credentials, and remove all other AWS settings of the user."""
    set_aws_environment(monkeypatch, CREDENTIALS)


FAST = PollingTimings(open_retry_interval=0.05, confirmation_delay=0.05, first_polls_interval=0.05)


def new_watcher(aws_url: str | None, timings: PollingTimings = DEFAULT_TIMINGS, **config: Any) -> Watcher:
    """Return a watcher of one account."""
    settings = {"regions": ["eu-west-1"], "services": ["sqs"], "endpoint_url": aws_url, **config}
    telemetry = Telemetries()
    return Watcher(
        Config.model_validate(settings),
        REGISTRY,
        Fleet(),
        telemetry.process,
        telemetry.aws,
        timings=timings,
    )


async def run_once(watcher: Watcher) -> list[tuple[int, int]]:
    """Run every inventory and poll once, close the clients, and return the reported progress."""
    progress: list[tuple[int, int]] = []
    try:
        await watcher.run_once(lambda done, steps: progress.append((done, steps)))
    finally:
        await watcher.close()
    return progress


def regions(watcher: Watcher) -> set[str]:
    """Return the regions with series."""
    return {key.region for key in watcher.fleet.series}


async def until(condition: Any) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


# One run


async def test_run_once_inventories_and_polls_every_cell(aws_url: str) -> None:
    watcher = new_watcher(aws_url, regions=["eu-west-1", "us-east-1"])
    assert watcher.pending() == ["account default"]
    assert await run_once(watcher) == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert watcher.pending() == []
    assert watcher.sentences() == []
    assert regions(watcher) == {"eu-west-1", "us-east-1"}
    rows = [*watcher.fleet.metrics((ACCOUNT_ID, "eu-west-1")).values()]
    assert rows
    assert (watcher.fleet.rings.read_through[rows] > 0).all()


async def test_the_quotas_of_a_cell_are_read_in_bulk_with_the_requests_for_them(aws_url: str) -> None:
    watcher = new_watcher(aws_url, regions=["us-east-1"], services=["apigateway", "lambda"])
    await run_once(watcher)
    quotas = watcher.cells[ACCOUNT_ID, "us-east-1"].inventory.quotas
    declared = {quota.code: quota for quota in REGISTRY.quotas(["apigateway", "lambda"])}
    read_quotas = {code: quotas.last_known(quota) for code, quota in declared.items()}
    assert {code: dict(read.values) for code, read in read_quotas.items() if read} == {
        "L-8A5B8E43": {LimitSource.APPLIED: 10_000.0},
        "L-B99A9384": {LimitSource.APPLIED: 3000.0},
        "L-A1AFA3CF": {LimitSource.DEFAULT: 1000.0},
    }
    requests = [quotas.request_for(quota) for quota in declared.values()]
    assert [request.desired for request in requests if request] == [20_000.0]


async def test_global_quotas_are_read_even_if_no_global_service_is_watched(
    aws_url: str,
) -> None:
    watcher = new_watcher(aws_url, regions=["eu-west-1"], services=["sqs", "quotas"])
    await run_once(watcher)
    services = {region: cell.services for (_, region), cell in watcher.cells.items()}
    assert services == {"eu-west-1": {"sqs", "quotas"}, "global": {"quotas"}}
    without_global = new_watcher(
        aws_url, regions=["eu-west-1"], services=["sqs", "quotas"], exclude=[{"region": "global"}]
    )
    await run_once(without_global)
    assert regions(without_global) == {"eu-west-1"}


async def test_a_region_that_denies_everything_affects_only_itself(aws_url: str) -> None:
    watcher = new_watcher(aws_url, regions=[DENIED_REGION, "eu-west-1"])
    await run_once(watcher)
    assert regions(watcher) == {"eu-west-1"}
    assert watcher.inaccessible_accounts == {}
    assert all(sentence.startswith(f"{ACCOUNT_ID}/{DENIED_REGION} sqs: ") for sentence in watcher.sentences())
    assert any("ListQueues: User is not authorized" in sentence for sentence in watcher.sentences())
    assert watcher.cells[ACCOUNT_ID, "eu-west-1"].poll_status.succeeded_at
    denied_poll = watcher.cells[ACCOUNT_ID, DENIED_REGION].poll_status  # it had no metrics to request
    assert denied_poll.ended_at and denied_poll.succeeded_at is None
    (poll_time,) = watcher.aws_telemetry.poll_time.collect()
    assert {sample.labels["aws_region"] for sample in poll_time.samples} == {"eu-west-1"}
    assert watcher.pending() == []


async def test_an_account_that_cannot_be_accessed_is_reported_and_stops_no_other(
    aws_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    inaccessible = {"name": "shut", "role_arn": ROLE, "regions": [DENIED_REGION]}
    watcher = new_watcher(aws_url, accounts=[inaccessible, {"name": "open"}])
    await run_once(watcher)
    assert set(watcher.inaccessible_accounts) == {"shut"}
    assert watcher.inaccessible_accounts["shut"].operation == "AssumeRole"
    assert [sentence.split(":")[0] for sentence in watcher.sentences()] == ["account shut"]
    assert regions(watcher) == {"eu-west-1"}
    assert watcher.pending() == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "account shut: AssumeRole: " in caplog.text


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "NoCredentialsError"),
        ({"AWS_PROFILE": "absent"}, "ProfileNotFound"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "ValueError"),
    ],
)
async def test_every_reason_for_missing_access_is_reported(
    variables: dict[str, str | None], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    watcher = new_watcher(None)
    assert await run_once(watcher) == []
    assert [failure.code for failure in watcher.inaccessible_accounts.values()] == [code]
    assert watcher.sentences()
    assert watcher.pending() == []


async def test_a_missing_region_is_reported(aws_url: str) -> None:
    watcher = new_watcher(aws_url, regions=[])
    await run_once(watcher)
    assert watcher.sentences() == [
        "account default: no region is set (MissingRegionError). "
        "Name a region in `regions` of the configuration, or in AWS_REGION."
    ]


async def test_an_account_that_another_entry_watches_is_watched_once_and_reported(aws_url: str) -> None:
    same = {"name": "same", "role_arn": f"arn:aws:iam::{ACCOUNT_ID}:role/headroom"}
    watcher = new_watcher(aws_url, accounts=[{"name": "own"}, same])
    await run_once(watcher)
    assert set(watcher.cells) == {(ACCOUNT_ID, "eu-west-1")}
    assert [failure.code for failure in watcher.inaccessible_accounts.values()] == ["Repeated"]


async def test_only_the_services_of_the_account_are_inventoried(aws_url: str) -> None:
    watcher = new_watcher(aws_url, services=["kinesis", "sqs"], accounts=[{"services": ["kinesis"]}])
    await run_once(watcher)
    assert {key.service for key in watcher.fleet.series} == {"kinesis"}
    assert watcher.cells[ACCOUNT_ID, "eu-west-1"].services == {"kinesis"}


# One cell


@pytest.fixture
def telemetry() -> Telemetries:
    return Telemetries()


@pytest.fixture
async def new_cell_watcher(aws_url: str, telemetry: Telemetries) -> AsyncIterator[Any]:
    """Return a function that creates the watcher of a cell with the given collectors."""
    fleet, config = Fleet(), Config(interval=3600, inventory_interval=3600)
    account = Config.model_validate({"regions": ["eu-west-1"]}).monitored_accounts(REGISTRY)[0]
    (cell,) = await open_cells(account, aws_url, telemetry.aws)

    def create(*collectors: Collector) -> CellWatcher:
        quotas = QuotaBook(cell, REGISTRY.quotas(["sqs"]))  # reading the quotas of all services takes minutes
        inventory = inventory_of(cell, fleet, config, quotas)
        reader = MetricReader(cell, fleet, METRIC_SERVICES)
        return CellWatcher(inventory, reader, collectors, telemetry.process, FAST)

    yield create
    await cell.close()


async def test_a_poll_before_the_first_inventory_does_not_complete_a_cell(
    new_cell_watcher: Callable[..., CellWatcher],
) -> None:
    watcher = new_cell_watcher(SQS)
    await watcher.run_poll()
    assert watcher.poll_status.ended_at and watcher.poll_status.succeeded_at is None
    assert not watcher.polled_once.is_set()
    await watcher.run_inventory()
    assert watcher.inventoried_once.is_set()
    await watcher.run_poll()
    assert watcher.poll_status.succeeded_at
    assert watcher.polled_once.is_set()


async def test_the_first_poll_waits_for_tags(aws_url: str) -> None:
    tags_released, fleet, config = asyncio.Event(), Fleet(), Config(tags=("team",))

    class SlowTagsInventory(Inventory):
        async def read_tags(self, collectors: Iterable[Collector]) -> None:
            await tags_released.wait()
            await super().read_tags(collectors)

    account = Config.model_validate({"regions": ["eu-west-1"]}).monitored_accounts(REGISTRY)[0]
    (cell,) = await open_cells(account, aws_url, Telemetries().aws)
    inventory = SlowTagsInventory(cell, fleet, config, REGISTRY, QuotaBook(cell, ()))
    reader = MetricReader(cell, fleet, METRIC_SERVICES)
    watcher = CellWatcher(inventory, reader, [SQS], ProcessTelemetry())
    async with background(watcher.run(config)):
        await until(lambda: not watcher.may_discover("sqs"))
        assert fleet.series
        assert watcher.poll_status.started_at is None
        tags_released.set()
        await until(watcher.polled_once.is_set)
        assert watcher.inventory.statuses[TAGS].succeeded_at
    await cell.close()


async def test_a_slow_collector_delays_no_other_collector(
    new_cell_watcher: Callable[..., CellWatcher],
) -> None:
    released = asyncio.Event()

    async def slow(aws: Aws) -> AsyncIterator[Observed]:
        for name in ("media", "logs", "media"):
            yield Observed(signal="prefix_read_rate", resource=resource(name), usage=1.0)
        await released.wait()

    watcher = new_cell_watcher(Collector(service="s3", scans=(slow,), metrics=(), iam_actions=()), SQS)
    async with background(watcher.run(Config(interval=10, inventory_interval=60))):
        await until(lambda: watcher.poll_status.succeeded_at)
        assert not watcher.inventoried_once.is_set()
        assert not watcher.polled_once.is_set()
        await until(lambda: watcher.pending == ["s3: 2 series so far"])
        released.set()
        await until(watcher.inventoried_once.is_set)


async def test_an_unexpected_error_of_a_collector_is_counted_and_stops_no_other_collector(
    new_cell_watcher: Callable[..., CellWatcher], telemetry: Telemetries, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = Collector(service="nonsense", scans=(), metrics=(), iam_actions=())
    watcher = new_cell_watcher(unknown, SQS)
    async with background(watcher.run(Config())):
        async with asyncio.timeout(30):
            await watcher.polled_once.wait()
    assert watcher.inventory.statuses["sqs"].succeeded_at
    assert telemetry.registry.get_sample_value("headroom_tick_failures_total", {"loop": "inventory"}) == 1
    assert "the loop inventory failed" in caplog.text


# Continuous runs


async def test_a_watcher_runs_until_cancelled_and_is_complete_after_its_first_reads(aws_url: str) -> None:
    watcher = new_watcher(aws_url, regions=["eu-west-1", DENIED_REGION])
    async with background(watcher.run()):
        async with asyncio.timeout(30):
            await watcher.complete.wait()
        assert watcher.pending() == []
        assert all(cell.polled_once.is_set() for cell in watcher.cells.values())


async def test_opening_an_account_is_retried_until_it_succeeds(
    aws_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    watcher = new_watcher(aws_url, FAST)
    async with background(watcher.run()):
        async with asyncio.timeout(30):
            await watcher.complete.wait()  # does not wait for an account that cannot be opened
        assert set(watcher.inaccessible_accounts) == {"default"}
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        await until(lambda: watcher.cells and watcher.cells[ACCOUNT_ID, "eu-west-1"].polled_once.is_set())
        assert watcher.inaccessible_accounts == {}


async def test_the_reason_for_missing_access_is_logged_once_as_long_as_it_is_the_same(
    aws_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = new_watcher(aws_url)
    (account,) = watcher.config.monitored_accounts(REGISTRY)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert [await watcher.open_account(account), await watcher.open_account(account)] == [[], []]
    monkeypatch.setenv("AWS_PROFILE", "absent")
    assert [await watcher.open_account(account), await watcher.open_account(account)] == [[], []]
    assert [record.name for record in caplog.records] == ["monitor.polling.watcher"] * 2


@pytest.mark.parametrize("moment", ["opening", "inventory", "poll", "complete"])
async def test_a_watcher_cancelled_at_any_moment_leaves_nothing_open(
    aws_url: str, moment: str, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = new_watcher(aws_url, services=["kinesis", "sqs"])
    async with background(watcher.run()):
        moments = {
            "opening": lambda: True,
            "inventory": lambda: watcher.cells and watcher.cells[ACCOUNT_ID, "eu-west-1"].inventory.statuses,
            "poll": lambda: watcher.cells and watcher.cells[ACCOUNT_ID, "eu-west-1"].poll_status.started_at,
            "complete": watcher.complete.is_set,
        }
        await until(moments[moment])
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    await asyncio.sleep(0)
    assert "unclosed" not in caplog.text.lower()


async def test_a_watcher_that_replaces_another_drops_series_that_are_no_longer_monitored(
    aws_url: str,
) -> None:
    first = new_watcher(aws_url, regions=["eu-west-1", "us-east-1"], services=["kinesis", "sqs"])
    await run_once(first)
    second = Watcher(
        Config(regions=("eu-west-1",), services=("sqs",), endpoint_url=aws_url),
        REGISTRY,
        first.fleet,
        first.telemetry,
        first.aws_telemetry,
        first.discovered(),
    )
    async with background(second.run()):
        async with asyncio.timeout(30):
            await second.complete.wait()
        assert {(key.region, key.service) for key in second.fleet.series} == {("eu-west-1", "sqs")}


async def test_a_denied_inventory_is_repeated_long_before_the_next_scheduled_inventory(aws_url: str) -> None:
    watcher = new_watcher(aws_url, FAST, regions=[DENIED_REGION])
    async with background(watcher.run()):
        await until(lambda: watcher.cells and watcher.cells[ACCOUNT_ID, DENIED_REGION].inventory.statuses)
        status = watcher.cells[ACCOUNT_ID, DENIED_REGION].inventory.statuses["sqs"]
        await until(lambda: status.needs_confirmation)
        first_ended_at = status.ended_at
        await until(lambda: status.ended_at != first_ended_at)


async def test_the_access_status_of_an_account_is_recorded(
    aws_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = new_watcher(aws_url)
    (account,) = watcher.config.monitored_accounts(REGISTRY)
    monkeypatch.setenv("AWS_PROFILE", "absent")
    assert await watcher.open_account(account) == []
    assert watcher.accounts["default"].access.streaks["credentials"].failed_runs == 1
    monkeypatch.delenv("AWS_PROFILE")
    assert len(await watcher.open_account(account)) == 1
    assert watcher.accounts["default"].account == ACCOUNT_ID
    assert watcher.accounts["default"].access.succeeded_at
    await watcher.close()


# Exclusions


async def test_a_region_that_is_excluded_is_not_opened(aws_url: str) -> None:
    watcher = new_watcher(aws_url, regions="all", exclude=[{"region": "ap-*"}, {"region": "us-east-1"}])
    assert await run_once(watcher) == [(1, 2), (2, 2)]
    assert {region for _, region in watcher.cells} == {"eu-west-1"}
    assert (watcher.sentences(), watcher.inaccessible_accounts) == ([], {})


async def test_a_service_that_is_excluded_in_a_region_is_not_inventoried_there(aws_url: str) -> None:
    watcher = new_watcher(
        aws_url,
        regions=["eu-west-1", "us-east-1"],
        services=["kinesis", "sqs"],
        exclude=[{"region": "us-*", "service": "sqs"}],
    )
    await run_once(watcher)
    assert watcher.cells[ACCOUNT_ID, "us-east-1"].services == {"kinesis"}
    assert watcher.cells[ACCOUNT_ID, "eu-west-1"].services == {"kinesis", "sqs"}
    assert {key.service for key in watcher.fleet.series if key.region == "us-east-1"} == {"kinesis"}


async def test_an_excluded_account_is_not_opened() -> None:
    watcher = new_watcher(
        "http://127.0.0.1:9", accounts=[{"name": "sandbox"}], exclude=[{"account": "sandbox"}]
    )
    assert await run_once(watcher) == []
    assert (watcher.inaccessible_accounts, watcher.accounts, watcher.pending()) == ({}, {}, [])


async def test_an_account_whose_regions_are_all_excluded_is_not_opened_again(aws_url: str) -> None:
    """The first opening is needed, as only AWS says which regions `all` stands for."""
    watcher = new_watcher(aws_url, FAST, regions="all", exclude=[{"region": "[eua]*"}])
    async with asyncio.timeout(30):
        await watcher.run()  # ends, as there is nothing to watch
    assert watcher.complete.is_set()
    assert (watcher.cells, watcher.inaccessible_accounts) == ({}, {})
    assert watcher.accounts["default"].access.succeeded_at


async def reload(first: Watcher, config: Config) -> Watcher:
    """Replace a watcher by one with another configuration, and wait until it has read everything."""
    second = Watcher(config, REGISTRY, first.fleet, first.telemetry, first.aws_telemetry, first.discovered())
    async with background(second.run()):
        async with asyncio.timeout(30):
            await second.complete.wait()
    return second


async def test_a_reload_that_excludes_a_region_drops_it_even_if_an_account_is_inaccessible(
    aws_url: str,
) -> None:
    regions_before = ["eu-west-1", "us-east-1"]
    first = new_watcher(aws_url, regions=regions_before)
    await run_once(first)
    inaccessible = {"name": "shut", "role_arn": ROLE, "regions": [DENIED_REGION]}
    settings = {"accounts": [{"name": "own", "regions": regions_before}, inaccessible], "services": ["sqs"]}
    config = Config.model_validate(settings | {"exclude": [{"region": "us-*"}], "endpoint_url": aws_url})
    second = await reload(first, config)
    assert set(second.inaccessible_accounts) == {"shut"}
    assert {key.region for key in second.fleet.series} == {"eu-west-1"}


async def test_an_inaccessible_account_keeps_only_its_own_series(aws_url: str) -> None:
    first = new_watcher(aws_url, regions=["eu-west-1", "us-east-1"], services=["sqs"])
    await run_once(first)
    inaccessible = {"name": "shut", "role_arn": ROLE, "regions": [DENIED_REGION]}
    assert ACCOUNT_ID not in ROLE, "the inaccessible account is another one"
    settings = {"accounts": [{"name": "own", "regions": ["eu-west-1"]}, inaccessible], "services": ["sqs"]}
    config = Config.model_validate(settings | {"endpoint_url": aws_url})
    second = await reload(first, config)
    assert set(second.inaccessible_accounts) == {"shut"}
    assert {key.region for key in second.fleet.series} == {"eu-west-1"}
