"""The first contact with AWS: the account of the credentials, and the resources that they may read."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from collectors.base import GLOBAL_REGION, Metric
from collectors.registry import Registry
from monitor.aws.account import Account
from monitor.aws.cell_factory import open_cells
from monitor.aws.credentials import EnvironmentCredentials
from monitor.aws.failure import AWS_ERRORS, DENIED_ACTION, failure_from
from monitor.aws.next_steps import next_step
from monitor.aws.telemetry import AwsTelemetry
from monitor.config.config import Config
from monitor.cost.prices import AccountPrices
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.lib.errors import HeadroomError
from monitor.lib.telemetry import ProcessTelemetry
from monitor.polling.metric_points import MetricPointReader
from monitor.polling.watcher import Watcher
from monitor.report.cost_estimate import payers_of
from monitor.report.failed_reads import FailedReads, failed_reads

ANY_REGION = "us-east-1"  # for STS if no region is set: STS answers the same in every region
TRIED_METRIC = Metric("AWS/Usage", "CallCount", "Sum", period=300)
TRIED_MINUTES = 5


class FirstContactError(HeadroomError):
    """The account of the credentials cannot be found. The text is a sentence, and the next step."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The account of the credentials. region: the region of the environment or profile; may be empty."""

    account: str
    region: str


@dataclass(frozen=True, slots=True)
class FirstContact:
    """The outcome of a first contact, which reads all resources and one metric of each account.

    accounts: the ids of the accounts of which something could be read: resources of a service, or the metric.
    service_count, series_count: the number of services in use, and of series, that can be read. A service can
    be read if one of its calls succeeded; a service without calls, if the account's metrics can be read.
    dollars: the cost of CloudWatch per month while all series are far from their limits.
    failures: the failed reads.
    denied: the IAM actions that AWS's messages name as denied.
    """

    accounts: Sequence[str]
    service_count: int
    series_count: int
    dollars: float
    failures: FailedReads
    denied: Sequence[str]


async def find_caller(profile: str) -> Caller:
    """Return the account of the credentials, by one call to STS. Raises FirstContactError."""
    try:
        source = EnvironmentCredentials(profile=profile or None)
        region = await source.region() or ""
        entry = Account.model_construct(profile=profile or None, regions=(region or ANY_REGION,))
        cells = await open_cells(entry, None, AwsTelemetry(ProcessTelemetry().registry))
    except AWS_ERRORS as error:
        failure = failure_from(error)
        raise FirstContactError(f"{failure.sentence}. {' '.join(next_step(failure).sentences)}") from None
    account = cells[0].account
    for cell in cells:
        await cell.close()
    return Caller(account, region)


async def contact(
    config: Config, registry: Registry, report_progress: Callable[[int, int], None]
) -> FirstContact:
    """List the resources of all accounts, and request one metric of each account."""
    fleet, telemetry = Fleet(), ProcessTelemetry()
    fleet.set_bounds(registry.bounds)
    aws_telemetry = AwsTelemetry(telemetry.registry)
    watcher = Watcher(config, registry, fleet, telemetry, aws_telemetry)
    try:
        await watcher.run_once(report_progress, with_polls=False)
        failures_by_account = await _request_a_metric_of_each_account(watcher, fleet)
    finally:
        await watcher.close()
    accounts_with_metrics = {account for account, sentences in failures_by_account.items() if not sentences}
    metric_failures = [sentence for sentences in failures_by_account.values() for sentence in sentences]
    read_keys = _keys_read(watcher, fleet, accounts_with_metrics)
    read_accounts = {account for (account, _), watched in watcher.cells.items() if watched.has_read}
    failures = failed_reads(watcher)
    payers = payers_of(fleet, config, AccountPrices(config.price_table, aws_telemetry.partitions))
    denied = {
        action
        for sentence in (*failures.by_failure, *metric_failures)
        for action in DENIED_ACTION.findall(sentence)
    }
    return FirstContact(
        accounts=sorted(accounts_with_metrics | read_accounts),
        service_count=len({key.service for key in read_keys}),
        series_count=len(read_keys),
        dollars=sum(payer.dollars or 0.0 for payer in payers),
        failures=FailedReads(
            [*failures.by_failure, *metric_failures], [*failures.by_cause, *metric_failures]
        ),
        denied=sorted(denied),
    )


def _keys_read(watcher: Watcher, fleet: Fleet, accounts_with_metrics: Container[str]) -> list[Key]:
    """Return the keys of the series that can be read, see `FirstContact`.

    accounts_with_metrics: the ids of the accounts whose metrics can be read.
    """
    return [
        key
        for key in fleet.series
        if watcher.cells[key.cell].cell.has_succeeded.get(key.service, key.account in accounts_with_metrics)
    ]


async def _request_a_metric_of_each_account(watcher: Watcher, fleet: Fleet) -> dict[str, list[str]]:
    """Request TRIED_METRIC in one region of each account; return its failures as sentences, by account."""
    reader = MetricPointReader(fleet, lambda: {key: watched.reader for key, watched in watcher.cells.items()})
    failures = {}
    regions = {account: region for account, region in watcher.cells if region != GLOBAL_REGION}
    for account, region in regions.items():
        now = watcher.cells[account, region].cell.clock.minute()
        end = now // TRIED_MINUTES * TRIED_MINUTES
        result = await reader.read((account, region), [TRIED_METRIC], range(end - TRIED_MINUTES, end))
        failures[account] = [f"{account}/{region} metrics: {failure}" for failure in result.failures]
    return failures
