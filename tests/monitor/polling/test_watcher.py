"""Watching the demo's AWS, a process of its own: three regions, one of which denies every call."""

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
from tests.registries import OWNERS, REGISTRY
from tests.resources import resource
from tests.telemetries import Telemetries

ID = "123456789012"
ROLE = "arn:aws:iam::210987654321:role/headroom"
DENIED = "ap-southeast-2"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, and nothing else of the user's."""
    set_aws_environment(monkeypatch, CREDENTIALS)


FAST = PollingTimings(open_retry_interval=0.05, confirmation_delay=0.05, first_polls_interval=0.05)


def watching(aws_url: str | None, timings: PollingTimings = DEFAULT_TIMINGS, **config: Any) -> Watcher:
    """Return a watcher of one account."""
    given = {"regions": ["eu-west-1"], "services": ["sqs"], "endpoint_url": aws_url, **config}
    telemetry = Telemetries()
    settings = Config.model_validate(given)
    return Watcher(settings, REGISTRY, Fleet(), telemetry.process, telemetry.aws, timings=timings)


async def once(watch: Watcher) -> list[tuple[int, int]]:
    """Run every inventory and poll once, close the clients, and return the reported progress."""
    progress: list[tuple[int, int]] = []
    try:
        await watch.run_once(lambda done, steps: progress.append((done, steps)))
    finally:
        await watch.close()
    return progress


def regions(watch: Watcher) -> set[str]:
    """Return the regions with series."""
    return {key.region for key in watch.fleet.series}


async def until(condition: Any) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


# Once


async def test_run_once_inventories_and_polls_every_cell(aws_url: str) -> None:
    watch = watching(aws_url, regions=["eu-west-1", "us-east-1"])
    assert watch.pending() == ["account default"]
    assert await once(watch) == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert watch.pending() == []
    assert watch.sentences() == []
    assert regions(watch) == {"eu-west-1", "us-east-1"}
    read = watch.fleet.rings.read_through[[*watch.fleet.metrics((ID, "eu-west-1")).values()]]
    assert read.size
    assert (read > 0).all()


async def test_the_quotas_of_a_cell_are_read_in_bulk_with_the_requests_for_them(aws_url: str) -> None:
    watch = watching(aws_url, regions=["us-east-1"], services=["apigateway", "lambda"])
    await once(watch)
    quotas = watch.cells[ID, "us-east-1"].inventory.quotas
    declared = {quota.code: quota for quota in REGISTRY.quotas(["apigateway", "lambda"])}
    known = {code: quotas.known(quota) for code, quota in declared.items()}
    assert {code: dict(one.values) for code, one in known.items() if one} == {
        "L-8A5B8E43": {LimitSource.APPLIED: 10_000.0},
        "L-B99A9384": {LimitSource.APPLIED: 3000.0},
        "L-A1AFA3CF": {LimitSource.DEFAULT: 1000.0},
    }
    requests = [quotas.request_for(quota) for quota in declared.values()]
    assert [request.desired for request in requests if request] == [20_000.0]


async def test_quotas_that_are_the_same_in_all_regions_are_read_also_without_a_global_service(
    aws_url: str,
) -> None:
    watch = watching(aws_url, regions=["eu-west-1"], services=["sqs", "quotas"])
    await once(watch)
    services = {region: cell.services for (_, region), cell in watch.cells.items()}
    assert services == {"eu-west-1": {"sqs", "quotas"}, "global": {"quotas"}}
    without = watching(
        aws_url, regions=["eu-west-1"], services=["sqs", "quotas"], exclude=[{"region": "global"}]
    )
    await once(without)
    assert regions(without) == {"eu-west-1"}


async def test_a_region_that_denies_everything_affects_only_itself(aws_url: str) -> None:
    watch = watching(aws_url, regions=[DENIED, "eu-west-1"])
    await once(watch)
    assert regions(watch) == {"eu-west-1"}
    assert watch.inaccessible_accounts == {}
    assert all(sentence.startswith(f"{ID}/{DENIED} sqs: ") for sentence in watch.sentences())
    assert any("ListQueues: User is not authorized" in sentence for sentence in watch.sentences())
    assert watch.cells[ID, "eu-west-1"].poll_status.succeeded_at
    assert watch.pending() == []


async def test_an_account_that_cannot_be_accessed_is_reported_and_stops_no_other(
    aws_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    shut = {"name": "shut", "role_arn": ROLE, "regions": [DENIED]}
    watch = watching(aws_url, accounts=[shut, {"name": "open"}])
    await once(watch)
    assert set(watch.inaccessible_accounts) == {"shut"}
    assert watch.inaccessible_accounts["shut"].operation == "AssumeRole"
    assert [sentence.split(":")[0] for sentence in watch.sentences()] == ["account shut"]
    assert regions(watch) == {"eu-west-1"}
    assert watch.pending() == []
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
    watch = watching(None)
    assert await once(watch) == []
    assert [failure.code for failure in watch.inaccessible_accounts.values()] == [code]
    assert watch.sentences()
    assert watch.pending() == []


async def test_no_region_is_reported(aws_url: str) -> None:
    watch = watching(aws_url, regions=[])
    await once(watch)
    assert watch.sentences() == [
        "account default: no region is set (MissingRegionError). "
        "Name one in `regions` of the configuration, or in AWS_REGION."
    ]


async def test_an_account_that_another_entry_watches_is_watched_once_and_noted(aws_url: str) -> None:
    same = {"name": "same", "role_arn": f"arn:aws:iam::{ID}:role/headroom"}
    watch = watching(aws_url, accounts=[{"name": "own"}, same])
    await once(watch)
    assert set(watch.cells) == {(ID, "eu-west-1")}
    assert [failure.code for failure in watch.inaccessible_accounts.values()] == ["Repeated"]


async def test_only_the_services_of_the_account_are_inventoried(aws_url: str) -> None:
    watch = watching(aws_url, services=["kinesis", "sqs"], accounts=[{"services": ["kinesis"]}])
    await once(watch)
    assert {key.service for key in watch.fleet.series} == {"kinesis"}
    assert watch.cells[ID, "eu-west-1"].services == {"kinesis"}


# One cell


@pytest.fixture
def telemetry() -> Telemetries:
    return Telemetries()


@pytest.fixture
async def cell(aws_url: str, telemetry: Telemetries) -> AsyncIterator[Any]:
    """Makes the watch of a cell with the given collectors."""
    fleet, config = Fleet(), Config(interval=3600, inventory_interval=3600)
    account = Config.model_validate({"regions": ["eu-west-1"]}).monitored_accounts(REGISTRY)[0]
    (opened,) = await open_cells(account, aws_url, telemetry.aws)

    def watch(*collectors: Collector) -> CellWatcher:
        quotas = QuotaBook(opened, REGISTRY.quotas(["sqs"]))  # those of all services are read for minutes
        inventory = inventory_of(opened, fleet, config, quotas)
        reader = MetricReader(opened, fleet, OWNERS)
        return CellWatcher(inventory, reader, collectors, telemetry.process, FAST)

    yield watch
    await opened.close()


async def test_a_poll_before_the_first_inventory_does_not_complete_a_cell(
    cell: Callable[..., CellWatcher],
) -> None:
    watch = cell(SQS)
    await watch.run_poll()
    assert watch.poll_status.succeeded_at
    assert not watch.polled_once.is_set()
    await watch.run_inventory()
    assert watch.inventoried_once.is_set()
    await watch.run_poll()
    assert watch.polled_once.is_set()


async def test_the_first_poll_waits_briefly_for_tags(aws_url: str) -> None:
    released, fleet, config = asyncio.Event(), Fleet(), Config(tags=("team",))

    class Slow(Inventory):
        async def read_tags(self, collectors: Iterable[Collector]) -> None:
            await released.wait()
            await super().read_tags(collectors)

    account = Config.model_validate({"regions": ["eu-west-1"]}).monitored_accounts(REGISTRY)[0]
    (opened,) = await open_cells(account, aws_url, Telemetries().aws)
    quotas = QuotaBook(opened, ())
    inventory, reader = Slow(opened, fleet, config, REGISTRY, quotas), MetricReader(opened, fleet, OWNERS)
    watch = CellWatcher(inventory, reader, [SQS], ProcessTelemetry())
    async with background(watch.run(config)):
        await until(lambda: not watch.may_discover("sqs"))
        assert fleet.series
        assert watch.poll_status.started_at is None
        released.set()
        await until(watch.polled_once.is_set)
        assert watch.inventory.statuses[TAGS].succeeded_at
    await opened.close()


async def test_a_collector_that_takes_its_time_holds_up_no_other_one(
    cell: Callable[..., CellWatcher],
) -> None:
    released = asyncio.Event()

    async def slow(aws: Aws) -> AsyncIterator[Observed]:
        for name in ("media", "logs", "media"):
            yield Observed(signal="prefix_read_rate", resource=resource(name), usage=1.0)
        await released.wait()

    watch = cell(Collector(service="s3", scans=(slow,), metrics=(), iam_actions=()), SQS)
    async with background(watch.run(Config(interval=10, inventory_interval=60))):
        await until(lambda: watch.poll_status.succeeded_at)
        assert not watch.inventoried_once.is_set()
        assert not watch.polled_once.is_set()
        await until(lambda: watch.pending == ["s3: 2 series so far"])
        released.set()
        await until(watch.inventoried_once.is_set)


async def test_a_collector_with_an_unexpected_error_is_counted_and_stops_no_other_one(
    cell: Callable[..., CellWatcher], telemetry: Telemetries, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = Collector(service="nonsense", scans=(), metrics=(), iam_actions=())
    watch = cell(unknown, SQS)
    async with background(watch.run(Config())):
        async with asyncio.timeout(30):
            await watch.polled_once.wait()
    assert watch.inventory.statuses["sqs"].succeeded_at
    assert telemetry.registry.get_sample_value("headroom_tick_failures_total", {"loop": "inventory"}) == 1
    assert "the loop inventory failed" in caplog.text


# On and on


async def test_a_watcher_runs_until_cancelled_and_is_complete_after_its_first_reads(aws_url: str) -> None:
    watch = watching(aws_url, regions=["eu-west-1", DENIED])
    async with background(watch.run()):
        async with asyncio.timeout(30):
            await watch.complete.wait()
        assert watch.pending() == []
        assert all(cell.polled_once.is_set() for cell in watch.cells.values())


async def test_an_account_is_tried_again_until_it_can_be_accessed(
    aws_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    watch = watching(aws_url, FAST)
    async with background(watch.run()):
        async with asyncio.timeout(30):
            await watch.complete.wait()  # what cannot be opened is not waited for
        assert set(watch.inaccessible_accounts) == {"default"}
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        await until(lambda: watch.cells and watch.cells[ID, "eu-west-1"].polled_once.is_set())
        assert watch.inaccessible_accounts == {}


async def test_the_reason_for_missing_access_is_logged_once_as_long_as_it_is_the_same(
    aws_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watch = watching(aws_url)
    (account,) = watch.config.monitored_accounts(REGISTRY)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert [await watch.open_account(account), await watch.open_account(account)] == [[], []]
    monkeypatch.setenv("AWS_PROFILE", "absent")
    assert [await watch.open_account(account), await watch.open_account(account)] == [[], []]
    assert [record.name for record in caplog.records] == ["monitor.polling.watcher"] * 2


@pytest.mark.parametrize("moment", ["opening", "looking", "reading", "resting"])
async def test_a_watcher_cancelled_at_any_moment_leaves_nothing_open(
    aws_url: str, moment: str, caplog: pytest.LogCaptureFixture
) -> None:
    watch = watching(aws_url, services=["kinesis", "sqs"])
    async with background(watch.run()):
        moments = {
            "opening": lambda: True,
            "looking": lambda: watch.cells and watch.cells[ID, "eu-west-1"].inventory.statuses,
            "reading": lambda: watch.cells and watch.cells[ID, "eu-west-1"].poll_status.started_at,
            "resting": watch.complete.is_set,
        }
        await until(moments[moment])
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    await asyncio.sleep(0)
    assert "nclosed" not in caplog.text


async def test_a_watcher_that_replaces_another_drops_series_that_are_no_longer_monitored(
    aws_url: str,
) -> None:
    first = watching(aws_url, regions=["eu-west-1", "us-east-1"], services=["kinesis", "sqs"])
    await once(first)
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


async def test_a_denied_inventory_is_retried_long_before_the_next_one(aws_url: str) -> None:
    watch = watching(aws_url, FAST, regions=[DENIED])
    async with background(watch.run()):
        await until(lambda: watch.cells and watch.cells[ID, DENIED].inventory.statuses)
        status = watch.cells[ID, DENIED].inventory.statuses["sqs"]
        await until(lambda: status.needs_confirmation)
        first = status.ended_at
        await until(lambda: status.ended_at != first)  # long before the next inventory


async def test_the_access_status_of_an_account_is_kept(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watching(aws_url)
    (account,) = watch.config.monitored_accounts(REGISTRY)
    monkeypatch.setenv("AWS_PROFILE", "absent")
    assert await watch.open_account(account) == []
    assert watch.accounts["default"].access.streaks["credentials"].failures == 1
    monkeypatch.delenv("AWS_PROFILE")
    assert len(await watch.open_account(account)) == 1
    assert watch.accounts["default"].account == ID
    assert watch.accounts["default"].access.succeeded_at
    await watch.close()


# What is excluded


async def test_a_region_that_is_excluded_is_not_opened(aws_url: str) -> None:
    watch = watching(aws_url, regions="all", exclude=[{"region": "ap-*"}, {"region": "us-east-1"}])
    assert await once(watch) == [(1, 2), (2, 2)]
    assert {region for _, region in watch.cells} == {"eu-west-1"}
    assert (watch.sentences(), watch.inaccessible_accounts) == ([], {})


async def test_a_service_that_is_excluded_in_a_region_is_not_inventoried_there(aws_url: str) -> None:
    watch = watching(
        aws_url,
        regions=["eu-west-1", "us-east-1"],
        services=["kinesis", "sqs"],
        exclude=[{"region": "us-*", "service": "sqs"}],
    )
    await once(watch)
    assert watch.cells[ID, "us-east-1"].services == {"kinesis"}
    assert watch.cells[ID, "eu-west-1"].services == {"kinesis", "sqs"}
    assert {key.service for key in watch.fleet.series if key.region == "us-east-1"} == {"kinesis"}


async def test_an_account_that_is_excluded_is_not_even_entered() -> None:
    watch = watching("http://127.0.0.1:9", accounts=[{"name": "sandbox"}], exclude=[{"account": "sandbox"}])
    assert await once(watch) == []
    assert (watch.inaccessible_accounts, watch.accounts, watch.pending()) == ({}, {}, [])


async def test_an_account_all_of_which_is_excluded_is_not_tried_again(aws_url: str) -> None:
    """Only AWS can say that its regions, `all`, are the excluded ones."""
    watch = watching(aws_url, FAST, regions="all", exclude=[{"region": "[eua]*"}])
    async with asyncio.timeout(30):
        await watch.run()  # it ends: there is nothing to wait for
    assert watch.complete.is_set()
    assert (watch.cells, watch.inaccessible_accounts) == ({}, {})
    assert watch.accounts["default"].access.succeeded_at


async def read_again(first: Watcher, config: Config) -> Watcher:
    """Read everything once more with another configuration, as after a reload."""
    second = Watcher(config, REGISTRY, first.fleet, first.telemetry, first.aws_telemetry, first.discovered())
    async with background(second.run()):
        async with asyncio.timeout(30):
            await second.complete.wait()
    return second


async def test_a_region_that_a_reload_excludes_is_dropped_though_an_account_is_inaccessible(
    aws_url: str,
) -> None:
    watched = ["eu-west-1", "us-east-1"]
    first = watching(aws_url, regions=watched)
    await once(first)
    shut = {"name": "shut", "role_arn": ROLE, "regions": [DENIED]}
    settings = {"accounts": [{"name": "own", "regions": watched}, shut], "services": ["sqs"]}
    config = Config.model_validate(settings | {"exclude": [{"region": "us-*"}], "endpoint_url": aws_url})
    second = await read_again(first, config)
    assert set(second.inaccessible_accounts) == {"shut"}
    assert {key.region for key in second.fleet.series} == {"eu-west-1"}


async def test_an_account_that_is_inaccessible_keeps_its_own_series_and_no_other_ones(aws_url: str) -> None:
    first = watching(aws_url, regions=["eu-west-1", "us-east-1"], services=["sqs"])
    await once(first)
    (account,) = {key.account for key in first.fleet.series}
    shut = {"name": "shut", "role_arn": ROLE, "regions": [DENIED]}
    assert account not in ROLE
    settings = {"accounts": [{"name": "own", "regions": ["eu-west-1"]}, shut], "services": ["sqs"]}
    config = Config.model_validate(settings | {"endpoint_url": aws_url})
    second = await read_again(first, config)
    assert set(second.inaccessible_accounts) == {"shut"}
    assert {key.region for key in second.fleet.series} == {"eu-west-1"}
