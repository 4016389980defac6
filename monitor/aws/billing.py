"""The calls that AWS bills: GetMetricData by the number of metrics, ListMetrics by the call."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

CountBilledCall = Callable[[], None]  # counts one attempt at a call that AWS may have billed

GET_METRIC_DATA, LIST_METRICS = ("cloudwatch", "GetMetricData"), ("cloudwatch", "ListMetrics")
# Errors of requests that AWS rejected or never received.
UNBILLED_ERRORS = (ClientError, EndpointConnectionError, ConnectTimeoutError)


def requested_metrics(service: str, operation: str, params: Mapping[str, Any]) -> int:
    """Return the number of metrics that AWS bills for a request; 0 for further pages and other operations."""
    if (service, operation) != GET_METRIC_DATA or "NextToken" in params:
        return 0
    return len(params["MetricDataQueries"])


def may_be_billed(error: BaseException) -> bool:
    """Return whether AWS may bill a failed request, as AWS may have processed it and answered too late."""
    return not isinstance(error, UNBILLED_ERRORS)


@contextmanager
def billing(count_billed_call: CountBilledCall) -> Iterator[None]:
    """Count the attempt at a call that is made within the context, unless AWS certainly does not bill it."""
    try:
        yield
    except BaseException as error:  # a cancelled call, too: AWS may have the request
        if may_be_billed(error):
            count_billed_call()
        raise
    else:
        count_billed_call()


@asynccontextmanager
async def grant_all(metrics: int) -> AsyncIterator[int]:
    """Grant all metrics that are to be requested."""
    yield metrics


def bill_nothing() -> None:
    """Count nothing, as AWS bills nothing for a call."""
