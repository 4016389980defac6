"""Against the demo's AWS, a process of its own: three regions, one of which denies everything."""

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from collectors import sqs
from collectors.base import Aws, Collector, Observed
from monitor.accounts import open_cells
from monitor.cloudwatch import Reader
from monitor.config import Config
from monitor.fleet import Fleet
from monitor.inventory import Inventory
from monitor.telemetry import Telemetry
from monitor.watch import CellWatch, Watch
from tests.monitor.demo.conftest import demo_process

ID = "123456789012"
ROLE = "arn:aws:iam::210987654321:role/headroom"
DENIED = "ap-southeast-2"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with demo_process() as (_, address):
        yield address


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, and nothing else of the user's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    own = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in own.items():
        monkeypatch.setenv(name, value)


def watching(url: str | None, **config: Any) -> Watch:
    settings = {"regions": ["eu-west-1"], "services": ["sqs"], "endpoint_url": url, **config}
    return Watch(Config.model_validate(settings), Fleet(), Telemetry())


async def once(watch: Watch) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    try:
        await watch.once(lambda done, steps: told.append((done, steps)))
    finally:
        await watch.close()
    return told


def regions(watch: Watch) -> set[str]:
    return {key.region for key in watch.fleet.series}


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


# Once


async def test_once_looks_at_every_cell_and_reads_it(url: str) -> None:
    watch = watching(url, regions=["eu-west-1", "us-east-1"])
    assert watch.waited_for() == ["account default"]
    assert await once(watch) == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert watch.waited_for() == []
    assert watch.sentences() == []
    assert regions(watch) == {"eu-west-1", "us-east-1"}
    read = watch.fleet.rings.read[[*watch.fleet.metrics((ID, "eu-west-1")).values()]]
    assert read.size
    assert (read > 0).all()


async def test_a_region_that_denies_everything_costs_only_itself(url: str) -> None:
    watch = watching(url, regions=[DENIED, "eu-west-1"])
    await once(watch)
    assert regions(watch) == {"eu-west-1"}
    assert watch.shut == {}
    assert all(sentence.startswith(f"{ID}/{DENIED} sqs: ") for sentence in watch.sentences())
    assert any("ListQueues: User is not authorized" in sentence for sentence in watch.sentences())
    assert watch.cells[ID, "eu-west-1"].poll.succeeded
    assert watch.waited_for() == []


async def test_an_account_that_does_not_let_us_in_is_noted_and_stops_no_other(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    shut = {"name": "shut", "role_arn": ROLE, "regions": [DENIED]}
    watch = watching(url, accounts=[shut, {"name": "open"}])
    await once(watch)
    assert set(watch.shut) == {"shut"}
    assert watch.shut["shut"].operation == "AssumeRole"
    assert [sentence.split(":")[0] for sentence in watch.sentences()] == ["account shut"]
    assert regions(watch) == {"eu-west-1"}
    assert watch.waited_for() == []
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
async def test_whatever_keeps_us_out_is_noted(
    variables: dict[str, str | None], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    watch = watching(None)
    assert await once(watch) == []
    assert [failure.code for failure in watch.shut.values()] == [code]
    assert watch.sentences()
    assert watch.waited_for() == []


async def test_no_region_is_noted(url: str) -> None:
    watch = watching(url, regions=[])
    await once(watch)
    assert watch.sentences() == [
        "account default: no region is set: name one in `regions` of the configuration, "
        "or in AWS_REGION (NoRegion)"
    ]


async def test_an_account_that_another_entry_watches_is_watched_once_and_noted(url: str) -> None:
    same = {"name": "same", "role_arn": f"arn:aws:iam::{ID}:role/headroom"}
    watch = watching(url, accounts=[{"name": "own"}, same])
    await once(watch)
    assert set(watch.cells) == {(ID, "eu-west-1")}
    assert [failure.code for failure in watch.shut.values()] == ["Repeated"]


async def test_only_the_services_of_the_account_are_looked_at(url: str) -> None:
    watch = watching(url, services=["kinesis", "sqs"], accounts=[{"services": ["kinesis"]}])
    await once(watch)
    assert {key.service for key in watch.fleet.series} == {"kinesis"}
    assert watch.cells[ID, "eu-west-1"].services == {"kinesis"}


# One cell


@pytest.fixture
async def cell(url: str) -> AsyncIterator[Any]:
    """Makes the watch of a cell with the given collectors."""
    fleet, telemetry, config = Fleet(), Telemetry(), Config(interval=3600, inventory_interval=3600)
    account = Config.model_validate({"regions": ["eu-west-1"]}).watched()[0]
    (opened,) = await open_cells(account, url, telemetry)

    def watch(*collectors: Collector) -> CellWatch:
        return CellWatch(opened, Inventory(opened, fleet, config), Reader(opened, fleet), collectors)

    yield watch
    await opened.close()


async def test_to_read_before_the_first_look_is_no_full_read(cell: Any) -> None:
    watch = cell(sqs.COLLECTOR)
    await watch.read()
    assert watch.poll.succeeded
    assert not watch.read_once.is_set()
    await watch.look()
    assert watch.looked_once.is_set()
    await watch.read()
    assert watch.read_once.is_set()


async def test_a_collector_that_takes_its_time_holds_up_no_other_one(
    cell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.watch.PATIENCE", 0.0)
    released = asyncio.Event()

    async def slow(aws: Aws) -> AsyncIterator[Observed]:
        await released.wait()
        yield Observed(signal="prefix_read_rate", resource="media", usage=1.0)

    watch = cell(Collector(service="s3", parts=(slow,), metrics=(), actions=()), sqs.COLLECTOR)
    task = asyncio.create_task(watch.run(Config(interval=10, inventory_interval=60)))
    await until(lambda: watch.poll.succeeded)
    assert not watch.looked_once.is_set()
    assert not watch.read_once.is_set()
    released.set()
    await until(watch.looked_once.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_collector_with_a_fault_of_ours_is_counted_and_stops_no_other_one(
    cell: Any, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = Collector(service="nonsense", parts=(), metrics=(), actions=())
    watch = cell(unknown, sqs.COLLECTOR)
    task = asyncio.create_task(watch.run(Config()))
    async with asyncio.timeout(30):
        await watch.read_once.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watch.inventory.outcomes["sqs"].succeeded
    registry = watch.cell.telemetry.registry
    assert registry.get_sample_value("headroom_tick_failures_total", {"loop": "inventory"}) == 1
    assert "a turn of the inventory loop failed" in caplog.text


# On and on


async def running(watch: Watch) -> "asyncio.Task[None]":
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    return task


async def stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_watches_until_cancelled_and_is_complete_after_the_first_full_read(url: str) -> None:
    watch = watching(url, regions=["eu-west-1", DENIED])
    task = await running(watch)
    async with asyncio.timeout(30):
        await watch.complete.wait()
    assert watch.waited_for() == []
    assert all(cell.read_once.is_set() for cell in watch.cells.values())
    await stopped(task)


async def test_an_account_is_tried_again_until_it_lets_us_in(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.watch.RETRY", 0.05)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    watch = watching(url)
    task = await running(watch)
    async with asyncio.timeout(30):
        await watch.complete.wait()  # what cannot be opened is not waited for
    assert set(watch.shut) == {"default"}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    await until(lambda: watch.cells and watch.cells[ID, "eu-west-1"].read_once.is_set())
    assert watch.shut == {}
    await stopped(task)


async def test_what_keeps_us_out_is_logged_once_as_long_as_it_is_the_same(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watch = watching(url)
    (account,) = watch.config.watched()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert [await watch.open(account), await watch.open(account)] == [[], []]
    monkeypatch.setenv("AWS_PROFILE", "absent")
    assert [await watch.open(account), await watch.open(account)] == [[], []]
    assert [record.name for record in caplog.records] == ["monitor.watch"] * 2


@pytest.mark.parametrize("moment", ["opening", "looking", "reading", "resting"])
async def test_cancelled_at_any_moment_it_leaves_nothing_open(
    url: str, moment: str, caplog: pytest.LogCaptureFixture
) -> None:
    watch = watching(url, services=["kinesis", "sqs"])
    task = await running(watch)
    moments = {
        "opening": lambda: True,
        "looking": lambda: watch.cells and watch.cells[ID, "eu-west-1"].inventory.outcomes,
        "reading": lambda: watch.cells and watch.cells[ID, "eu-west-1"].poll.attempted,
        "resting": watch.complete.is_set,
    }
    await until(moments[moment])
    await stopped(task)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    await asyncio.sleep(0)
    assert "nclosed" not in caplog.text


async def test_a_watch_that_follows_another_forgets_what_is_not_watched_any_more(url: str) -> None:
    first = watching(url, regions=["eu-west-1", "us-east-1"], services=["kinesis", "sqs"])
    await once(first)
    second = Watch(
        Config(regions=("eu-west-1",), services=("sqs",), endpoint_url=url),
        first.fleet,
        first.telemetry,
        first.found(),
    )
    task = await running(second)
    async with asyncio.timeout(30):
        await second.complete.wait()
    assert {(key.region, key.service) for key in second.fleet.series} == {("eu-west-1", "sqs")}
    await stopped(task)
