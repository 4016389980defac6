"""Regions that the account has not enabled, with a fake AWS on loopback that rejects calls as AWS does."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.polling.timings import PollingTimings
from monitor.polling.watcher import Watcher
from monitor.report.scan import requested_failures
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.background import background
from tests.global_services import ASSUMED, CALLER, SIGNING_SCOPE, global_registry
from tests.http_endpoint import serve_http
from tests.telemetries import Telemetries

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/headroom"
EUROPE, BAHRAIN, HOME = "eu-west-1", "me-south-1", "us-east-1"
REGISTRY = global_registry()
FAST_TIMINGS = PollingTimings(open_retry_interval=0.05, confirmation_delay=0.05, region_interval=0.1)
TOPICS = "<ListTopicsResponse><ListTopicsResult><Topics/></ListTopicsResult></ListTopicsResponse>"
ERROR_CODES = {  # by service, for calls in a region that is not enabled and for unknown access keys
    "sts": "InvalidClientTokenId",
    "sns": "InvalidClientTokenId",
    "ec2": "AuthFailure",
    "monitoring": "UnrecognizedClientException",
    "servicequotas": "UnrecognizedClientException",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set test credentials, and remove the user's own AWS settings."""
    set_aws_environment(monkeypatch, CREDENTIALS)


class RegionalAws:
    """A fake AWS that counts calls by service and region.

    enabled: the regions that are enabled. accepts_keys: if false, every service rejects the access
    keys. rejecting_services: those that reject the access keys in every region.
    """

    def __init__(self, *enabled: str) -> None:
        self.enabled, self.accepts_keys, self.url = {*enabled}, True, ""
        self.rejecting_services: set[str] = set()
        self.calls: Counter[tuple[str, str]] = Counter()

    @classmethod
    @asynccontextmanager
    async def serving(cls, *enabled: str) -> AsyncIterator["RegionalAws"]:
        """Start this AWS, yield it, and stop it when the context exits."""
        aws = cls(*enabled)
        async with serve_http(aws.handle) as port:
            aws.url = f"http://127.0.0.1:{port}"
            yield aws

    def calls_in(self, region: str) -> int:
        """Return the number of calls in a region."""
        return sum(number for (_, called_region), number in self.calls.items() if called_region == region)

    async def handle(self, request: web.Request) -> web.Response:
        scope = SIGNING_SCOPE.search(request.headers["Authorization"])
        assert scope
        region, service = scope.groups()
        self.calls[service, region] += 1
        body = (await request.read()).decode()
        if region not in self.enabled or service in self.rejecting_services or not self.accepts_keys:
            return self._error_response(service)
        if service in ("monitoring", "servicequotas"):
            return web.json_response({"MetricDataResults": [], "Quotas": [], "RequestedQuotas": []})
        action = (re.search(r"Action=(\w+)", body) or ["", ""])[1]
        items = "".join(f"<item><regionName>{name}</regionName></item>" for name in sorted(self.enabled))
        regions = f"<DescribeRegionsResponse><regionInfo>{items}</regionInfo></DescribeRegionsResponse>"
        answers = {"GetCallerIdentity": CALLER, "AssumeRole": ASSUMED, "ListTopics": TOPICS}
        return web.Response(text=answers.get(action, regions), content_type="text/xml")

    def _error_response(self, service: str) -> web.Response:
        code = ERROR_CODES[service]
        if service in ("monitoring", "servicequotas"):
            return web.json_response({"__type": code, "message": "the token is invalid"}, status=403)
        error = f"<Error><Code>{code}</Code><Message>the token is invalid</Message></Error>"
        body = f"<Response><Errors>{error}</Errors></Response>" if service == "ec2" else f"<E>{error}</E>"
        return web.Response(status=403, text=body, content_type="text/xml")


def watcher_of(aws: RegionalAws, *regions: str, exclude: Any = (), **account: Any) -> Watcher:
    """Return a watcher of an account in these regions, or in all regions if none is given.

    exclude: the configured exclusions. account: further settings of the account.
    """
    telemetry = Telemetries()
    accounts = [{"name": "prod", "regions": [*regions] if regions else "all", **account}]
    settings = {"accounts": accounts, "services": ["topics"], "endpoint_url": aws.url, "exclude": exclude}
    config = Config.model_validate(settings)
    return Watcher(config, REGISTRY, Fleet(), telemetry.process, telemetry.aws, timings=FAST_TIMINGS)


async def run_and_close(watcher: Watcher) -> Watcher:
    """Run every inventory and poll once, close the clients, and return the watcher."""
    try:
        await watcher.run_once(lambda done, steps: None)
    finally:
        await watcher.close()
    return watcher


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def watched_regions(watcher: Watcher) -> set[str]:
    return {region for _, region in watcher.cells}


def disabled_regions(watcher: Watcher) -> tuple[str, ...]:
    return tuple(watcher.accounts["prod"].disabled_regions)


@pytest.mark.parametrize("account", [{}, {"role_arn": ROLE}], ids=["without a role", "with a role"])
@pytest.mark.parametrize(
    "regions", [(EUROPE, BAHRAIN), (BAHRAIN, EUROPE)], ids=["enabled first", "disabled first"]
)
async def test_a_disabled_region_is_skipped_and_reported_in_one_sentence(
    regions: tuple[str, ...], account: dict[str, Any]
) -> None:
    async with RegionalAws.serving(EUROPE, HOME) as aws:
        watcher = await run_and_close(watcher_of(aws, *regions, **account))
    assert watched_regions(watcher) == {EUROPE}
    assert disabled_regions(watcher) == (BAHRAIN,)
    assert watcher.sentences() == [
        f"{ACCOUNT}/{BAHRAIN} metrics: {BAHRAIN} is not enabled in the account: it is not read "
        "(RegionDisabledError)"
    ]
    assert requested_failures(watcher.failures(), []) == []  # a disabled region is no failure
    assert aws.calls["sts", EUROPE] + aws.calls["sts", HOME] < 6


async def test_the_only_call_to_a_disabled_region_checks_whether_it_is_enabled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with RegionalAws.serving(EUROPE, HOME) as aws:
        watcher = watcher_of(aws, EUROPE, BAHRAIN)
        async with background(watcher.run()):
            await watcher.complete.wait()
            await until(lambda: disabled_regions(watcher) == (BAHRAIN,))
            calls_before = Counter(aws.calls)
            await until(lambda: aws.calls["sts", BAHRAIN] > calls_before["sts", BAHRAIN] + 3)
            later_calls = aws.calls - calls_before
    assert {service for service, region in later_calls if region == BAHRAIN} == {"sts"}
    assert [line for line in caplog.messages if BAHRAIN in line] == [
        f"account prod: {BAHRAIN} is not enabled: it is not read"
    ]


async def test_a_disabled_region_is_read_once_it_is_enabled() -> None:
    async with RegionalAws.serving(EUROPE, HOME) as aws:
        watcher = watcher_of(aws, EUROPE, BAHRAIN)
        async with background(watcher.run()):
            await until(lambda: disabled_regions(watcher) == (BAHRAIN,))
            aws.enabled.add(BAHRAIN)
            await until(lambda: aws.calls["sns", BAHRAIN] > 1)
            await until(
                lambda: bool(watcher.cells[ACCOUNT, BAHRAIN].inventory.statuses["topics"].succeeded_at)
            )
            assert disabled_regions(watcher) == ()


async def test_regions_all_adds_a_region_that_is_enabled_later() -> None:
    async with RegionalAws.serving(EUROPE, HOME) as aws:
        watcher = watcher_of(aws)
        async with background(watcher.run()):
            await watcher.complete.wait()
            assert watched_regions(watcher) == {EUROPE, HOME}
            assert aws.calls_in(BAHRAIN) == 0
            aws.enabled.add(BAHRAIN)
            await until(lambda: aws.calls["sns", BAHRAIN] > 0)
            assert watched_regions(watcher) == {EUROPE, HOME, BAHRAIN}


async def test_regions_all_does_not_call_an_excluded_region() -> None:
    async with RegionalAws.serving(EUROPE, HOME, BAHRAIN) as aws:
        watcher = await run_and_close(watcher_of(aws, exclude=[{"region": "me-*"}, {"region": EUROPE}]))
    assert watched_regions(watcher) == {HOME}
    assert aws.calls_in(BAHRAIN) + aws.calls_in(EUROPE) == 0


async def test_keys_that_every_region_rejects_do_not_make_a_region_disabled() -> None:
    async with RegionalAws.serving(EUROPE, HOME) as aws:
        aws.accepts_keys = False
        watcher = await run_and_close(watcher_of(aws, EUROPE, BAHRAIN))
    assert disabled_regions(watcher) == ()
    assert watcher.inaccessible_accounts["prod"].code == "InvalidClientTokenId"


async def test_a_region_in_which_only_one_service_rejects_the_keys_counts_as_enabled() -> None:
    async with RegionalAws.serving(EUROPE, HOME, BAHRAIN) as aws:
        aws.rejecting_services = {"sns"}
        watcher = await run_and_close(watcher_of(aws, BAHRAIN))
    assert disabled_regions(watcher) == ()
    assert watched_regions(watcher) == {BAHRAIN}
    statuses = watcher.cell_statuses()[0].collectors.values()
    codes = [status.failures[0].code for status in statuses if status.failures]
    assert codes == ["InvalidClientTokenId"]
