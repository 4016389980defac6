"""Calls GetMetricData for one or several cells, with the credentials and the rate limits of one account."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError

from monitor.aws.billing import GET_METRIC_DATA, bill_nothing
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
from rules.plurals import count_of

MAX_CONCURRENT_CALLS = 4  # per account and region
# Half of the rate that AWS allows for points of the last three hours. One call for 500 metrics over three
# hours takes all points of a second.
POINTS_PER_SECOND = 90_000
MAX_REQUESTS_PER_METRIC = 3  # by one `MetricCaller.call`, while its result is incomplete
# Classes of failures that do not depend on the metrics that are requested.
COMMON_CLASSES = frozenset(
    {FailureClass.THROTTLED, FailureClass.UNREACHABLE, FailureClass.EXPIRED, FailureClass.CREDENTIALS}
)
FORBIDDEN = "Forbidden"  # a status code of results
# botocore need not validate the parameters, as the queries were built from validated metrics.
CLIENT_CONFIG_WITHOUT_VALIDATION = CLIENT_CONFIG.merge(AioConfig(parameter_validation=False))

MetricPosition = tuple[int, int]  # the number of a part of a call, and the number of a metric in the part


class ResultReader(Protocol):
    """Takes the results of a call for the metrics of one account."""

    @property
    def source(self) -> MetricSource:
        """The account and region that have the metrics."""
        ...

    def write(self, request: MetricRequest, results: Mapping[int, MetricResult]) -> None:
        """Store complete results. results: by the number of the metric in the request."""
        ...


@dataclass(frozen=True, slots=True)
class CallPart:
    """A part of a call: the metrics of one reader."""

    reader: ResultReader
    request: MetricRequest


class MetricCaller:
    """Calls GetMetricData in a region, for one or several accounts. cell: makes and pays for the calls."""

    def __init__(self, cell: Cell, points_per_second: float = POINTS_PER_SECOND) -> None:
        self.cell = cell
        self._point_limiter = cell.shared_limiter("points of GetMetricData", points_per_second)
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_CALLS)

    async def call(self, parts: Sequence[CallPart]) -> Mapping[int, Failure]:
        """Repeat a call until all of its results are complete; return the failures by the number of the part.

        parts: up to MAX_METRICS_PER_CALL metrics in all, with the same minutes and period. Raises
        InvalidRequestError if CloudWatch rejects the content of the call, or denies a call of several parts;
        the caller then has to find the part that is the cause.
        """
        missing = {
            (part_number, number): metric
            for part_number, part in enumerate(parts)
            for number, metric in enumerate(part.request.metrics)
        }
        results: Mapping[MetricPosition, MetricResult] = {}
        async with self._semaphore:
            try:
                for _ in range(MAX_REQUESTS_PER_METRIC):
                    results = await self._fetch_pages(parts, missing)
                    complete = {position: result for position, result in results.items() if is_usable(result)}
                    _write(parts, complete)
                    if len(complete) == len(missing):
                        return {}
                    missing = {
                        position: metric for position, metric in missing.items() if position not in complete
                    }
            except Exception as error:
                if isinstance(error, ForeignResponseError) or not isinstance(error, AWS_ERRORS):
                    self.cell.telemetry.decode_errors.labels("answer").inc()
                failure = failure_from(error, "GetMetricData")
                if is_validation_error(error) or (len(parts) > 1 and _may_concern_one_part(error)):
                    raise InvalidRequestError(failure) from error
                return dict.fromkeys((part_number for part_number, _ in missing), failure)
        self.cell.telemetry.decode_errors.labels("incomplete").inc(len(missing))
        return {
            number: _incomplete_failure(number, parts[number].reader.source.account, missing, results)
            for number in {part_number for part_number, _ in missing}
        }

    async def _fetch_pages(
        self, parts: Sequence[CallPart], metrics: Mapping[MetricPosition, bytes]
    ) -> Mapping[MetricPosition, MetricResult]:
        """Request all pages of the results of some metrics of the parts, and return the results.

        Raises one of AWS_ERRORS; one of these is PaginationError, for more points or pages than possible.
        """
        client = await self.cell.client("cloudwatch", CLIENT_CONFIG_WITHOUT_VALIDATION)
        request_page = codec.get_metric_data if codec.install(client) else codec.get_metric_data_by_botocore
        positions = [*metrics]
        queries, minutes = dict(enumerate(metrics.values())), parts[0].request.minutes
        pages = MetricPages(queries, len(minutes) // parts[0].request.period)
        accounts = self._accounts(parts, positions)
        share = self.cell.share_of_rate(*GET_METRIC_DATA)  # AWS throttles by points, too
        await self._point_limiter.acquire(pages.max_points / share)
        while True:
            send_page = partial(request_page, client, queries, minutes, pages.token, accounts)
            # Later pages are not billed.
            bill = bill_nothing if pages.token else partial(self._bill, parts, metrics)
            page = await self.cell.call_with_retries(*GET_METRIC_DATA, send_page, bill)
            for part in parts:
                part.reader.source.observe_time(page.date)
            if pages.add(page):
                return {positions[number]: result for number, result in pages.results.items()}

    def _bill(self, parts: Sequence[CallPart], metrics: Mapping[MetricPosition, bytes]) -> None:
        """Count the requested metrics, by reader."""
        queries_by_part: list[list[bytes]] = [[] for _ in parts]
        for (part_number, _), metric in metrics.items():
            queries_by_part[part_number].append(metric)
        for part, queries in zip(parts, queries_by_part, strict=True):
            part.reader.source.count(self.cell, queries)

    def _accounts(self, parts: Sequence[CallPart], metrics: Iterable[MetricPosition]) -> codec.Accounts:
        """Return the `AccountId` of each query, by number; metrics of the calling account have none."""
        accounts = [part.reader.source.account for part in parts]
        if all(account == self.cell.signing_account for account in accounts):
            return codec.NO_ACCOUNTS
        numbered_accounts = enumerate(accounts[part_number] for part_number, _ in metrics)
        return {
            number: account for number, account in numbered_accounts if account != self.cell.signing_account
        }


def _write(parts: Sequence[CallPart], results: Mapping[MetricPosition, MetricResult]) -> None:
    results_by_part: list[dict[int, MetricResult]] = [{} for _ in parts]
    for (part_number, number), result in results.items():
        results_by_part[part_number][number] = result
    for part, part_results in zip(parts, results_by_part, strict=True):
        part.reader.write(part.request, part_results)


def _incomplete_failure(
    part_number: int,
    account: str,
    missing: Mapping[MetricPosition, bytes],
    results: Mapping[MetricPosition, MetricResult],
) -> Failure:
    """Return the failure of a part some of whose metrics have no complete result."""
    missing_of_part = {position: metric for position, metric in missing.items() if position[0] == part_number}
    example = without_abbreviations(next(iter(missing_of_part.values()))).decode()
    part_results = [results.get(position) for position in missing_of_part]
    if all(result and result.status_code == FORBIDDEN for result in part_results):
        sentence = (
            f"{count_of(len(missing_of_part), 'metric')} of {account} may not be read, among them {example}"
        )
        return Failure("GetMetricData", "", FORBIDDEN, sentence)
    requests = f"{MAX_REQUESTS_PER_METRIC} requests"
    sentence = (
        f"{count_of(len(missing_of_part), 'metric')} stayed incomplete after {requests}, among them {example}"
    )
    return Failure("GetMetricData", "", "Incomplete", sentence)


def _may_concern_one_part(error: Exception) -> bool:
    """Return whether AWS may have rejected a call for one of its parts, not for its rate or credentials."""
    is_common = classify(error_code(error)) in COMMON_CLASSES or is_retryable(error)
    return isinstance(error, ClientError) and not is_common


def is_usable(result: MetricResult) -> bool:
    """Return true if a result is complete and each of its values has a timestamp."""
    return result.status_code == "Complete" and len(result.timestamps) == len(result.values)
