"""The calls that AWS bills: GetMetricData by the metric, ListMetrics by the call."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

Bill = Callable[[], None]  # counts one attempt at a call that AWS may have billed

GET_METRIC_DATA, LIST_METRICS = ("cloudwatch", "GetMetricData"), ("cloudwatch", "ListMetrics")
# Errors of requests that AWS refused or never had.
UNBILLED_ERRORS = (ClientError, EndpointConnectionError, ConnectTimeoutError)


def requested_metrics(service: str, operation: str, params: Mapping[str, Any]) -> int:
    """Return the metrics that a request is billed for; the pages of one request are billed once."""
    if (service, operation) != GET_METRIC_DATA or "NextToken" in params:
        return 0
    return len(params["MetricDataQueries"])


def may_be_billed(error: BaseException) -> bool:
    """Return whether AWS may have answered a request that failed, such as too late."""
    return not isinstance(error, UNBILLED_ERRORS)


@contextmanager
def billing(bill: Bill) -> Iterator[None]:
    """Count the attempt at a call that is made within the context, unless AWS certainly does not bill it."""
    try:
        yield
    except BaseException as error:  # cancelled, too: AWS had the request
        if may_be_billed(error):
            bill()
        raise
    else:
        bill()


@asynccontextmanager
async def without_limit(metrics: int) -> AsyncIterator[int]:
    """Grant all metrics that are to be requested."""
    yield metrics


def unbilled() -> None:
    """Count nothing, as AWS bills nothing for a call."""
