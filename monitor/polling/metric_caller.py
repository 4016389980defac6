"""Calls GetMetricData for one cell or several, with the credentials and within the rates of one account."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError

from monitor.aws.billing import GET_METRIC_DATA, unbilled
from monitor.aws.cell import Cell
from monitor.aws.clients import CLIENT_CONFIG
from monitor.aws.failure import (
    AWS_ERRORS,
    Failure,
    ForeignResponseError,
    error_code,
    failure_from,
    is_retryable,
)
from monitor.aws.failure_class import FailureClass, classify
from monitor.fleet.metric_query import without_abbreviations
from monitor.polling import codec
from monitor.polling.codec import MetricResult
from monitor.polling.metric_pages import MetricPages
from monitor.polling.metric_source import MetricSource
from monitor.polling.plan import MetricRequest
from monitor.polling.rejected_metrics import InvalidRequestError, is_validation_error

MAX_CONCURRENT_CALLS = 4  # per account and region
POINTS_PER_SECOND = 90_000  # AWS allows 180,000 of the last three hours, and one request may have 90,000
MAX_REQUESTS_PER_METRIC = 3  # in one poll, while its result is incomplete
# Failures that do not depend on the metrics that are requested.
COMMON_CLASSES = frozenset(
    {FailureClass.THROTTLED, FailureClass.UNREACHABLE, FailureClass.EXPIRED, FailureClass.CREDENTIALS}
)
FORBIDDEN = "Forbidden"  # the status of a result
# Validation is left out, as the queries were built from checked metrics.
CLIENT_CONFIG_WITHOUT_VALIDATION = CLIENT_CONFIG.merge(AioConfig(parameter_validation=False))

MetricId = tuple[int, int]  # the number of a part of a call, and of a metric in it


class Receiver(Protocol):
    """Takes what a call returns of the metrics of one account."""

    @property
    def source(self) -> MetricSource:
        """The cell that has the metrics."""
        ...

    def write(self, request: MetricRequest, results: Mapping[int, MetricResult]) -> None:
        """Store complete results, by the number of the metric in the request."""
        ...


@dataclass(frozen=True, slots=True)
class CallPart:
    """The metrics of one receiver in a call."""

    receiver: Receiver
    request: MetricRequest


class MetricCaller:
    """Calls GetMetricData for an account in a region. cell: makes the calls, and is billed for them."""

    def __init__(self, cell: Cell, points_per_second: float = POINTS_PER_SECOND) -> None:
        self.cell = cell
        self._point_limiter = cell.shared_limiter("points of GetMetricData", points_per_second)
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_CALLS)

    async def call(self, parts: Sequence[CallPart]) -> Mapping[int, Failure]:
        """Send one call until all of its results are complete; return the failures by the number of the part.

        parts: up to MAX_METRICS_PER_CALL metrics, of the same minutes and period.
        Raises InvalidRequestError when CloudWatch rejects the content of the call, or denies one of several
        parts, as only one of them may be the cause.
        """
        missing = {
            (n, m): metric for n, one in enumerate(parts) for m, metric in enumerate(one.request.metrics)
        }
        results: Mapping[MetricId, MetricResult] = {}
        async with self._semaphore:
            try:
                for _ in range(MAX_REQUESTS_PER_METRIC):
                    results = await self._fetch_pages(parts, missing)
                    done = {id_: result for id_, result in results.items() if is_usable(result)}
                    _write(parts, done)
                    missing = {id_: metric for id_, metric in missing.items() if id_ not in done}
                    if not missing:
                        return {}
            except Exception as error:
                if isinstance(error, ForeignResponseError) or not isinstance(error, AWS_ERRORS):
                    self.cell.telemetry.decode_errors.labels("answer").inc()
                failed = failure_from(error, "GetMetricData")
                if is_validation_error(error) or (len(parts) > 1 and _may_concern_one_part(error)):
                    raise InvalidRequestError(failed) from error
                return dict.fromkeys((n for n, _ in missing), failed)
        self.cell.telemetry.decode_errors.labels("incomplete").inc(len(missing))
        return {n: _incomplete(n, parts[n].receiver.source.account, missing, results) for n, _ in missing}

    async def _fetch_pages(
        self, parts: Sequence[CallPart], metrics: Mapping[MetricId, bytes]
    ) -> Mapping[MetricId, MetricResult]:
        """Request all pages of some metrics of the parts, and return their results.

        Raises one of AWS_ERRORS, among them PaginationError when there are more points than there can be.
        """
        client = await self.cell.client("cloudwatch", CLIENT_CONFIG_WITHOUT_VALIDATION)
        send = codec.get_metric_data if codec.install(client) else codec.get_metric_data_by_botocore
        ids = [*metrics]
        numbered, minutes = dict(enumerate(metrics.values())), parts[0].request.minutes
        pages = MetricPages(numbered, len(minutes) // parts[0].request.period)
        accounts = self._accounts([parts[n].receiver.source.account for n, _ in ids])
        share = self.cell.share_of_rate(*GET_METRIC_DATA)  # AWS throttles for points, too
        await self._point_limiter.acquire(pages.max_points / share)
        while True:
            send_page = partial(send, client, numbered, minutes, pages.token, accounts)
            bill = unbilled if pages.token else partial(self._bill, parts, metrics)  # all pages together
            page = await self.cell.call_with_retries(*GET_METRIC_DATA, send_page, bill)
            for part in parts:
                part.receiver.source.observe_time(page.date)
            if pages.add(page):
                return {ids[number]: result for number, result in pages.results.items()}

    def _bill(self, parts: Sequence[CallPart], metrics: Mapping[MetricId, bytes]) -> None:
        """Count the metrics of a request, each for its receiver."""
        for n, part in enumerate(parts):
            part.receiver.source.count(self.cell, [metric for id_, metric in metrics.items() if id_[0] == n])

    def _accounts(self, accounts: Sequence[str]) -> codec.Accounts:
        """The `AccountId` of queries by number; none for metrics of the account that calls."""
        return {n: account for n, account in enumerate(accounts) if account != self.cell.signing_account}


def _write(parts: Sequence[CallPart], results: Mapping[MetricId, MetricResult]) -> None:
    by_part: dict[int, dict[int, MetricResult]] = {n: {} for n, _ in enumerate(parts)}
    for (n, m), result in results.items():
        by_part[n][m] = result
    for n, part in enumerate(parts):
        part.receiver.write(part.request, by_part[n])


def _incomplete(
    part: int, account: str, missing: Mapping[MetricId, bytes], results: Mapping[MetricId, MetricResult]
) -> Failure:
    """The failure of a part of which metrics are missing."""
    missing_of_part = {id_: metric for id_, metric in missing.items() if id_[0] == part}
    example = without_abbreviations(next(iter(missing_of_part.values()))).decode()
    if all(id_ in results and results[id_].status_code == FORBIDDEN for id_ in missing_of_part):
        sentence = f"{len(missing_of_part)} metrics of {account} may not be read, among them {example}"
        return Failure("GetMetricData", "", FORBIDDEN, sentence)
    requests = f"{MAX_REQUESTS_PER_METRIC} requests"
    sentence = f"{len(missing_of_part)} metrics stayed incomplete after {requests}, among them {example}"
    return Failure("GetMetricData", "", "Incomplete", sentence)


def _may_concern_one_part(error: Exception) -> bool:
    """Return whether AWS refused a call because of what it asks for, and not for its rate or its sender."""
    is_common = classify(error_code(error)) in COMMON_CLASSES or is_retryable(error)
    return isinstance(error, ClientError) and not is_common


def is_usable(result: MetricResult) -> bool:
    """Return true if a result is complete and each of its values has a timestamp."""
    return result.status_code == "Complete" and len(result.timestamps) == len(result.values)
