"""Metrics that CloudWatch rejects: halving a rejected request finds them; later requests omit them."""

import time
from collections.abc import Callable, Mapping, Set

from botocore.exceptions import ClientError

from monitor.aws.failure import Failure, error_code
from monitor.lib.errors import HeadroomError

RETRY_INTERVAL = 3600.0  # seconds until a rejected metric is requested again
MAX_SPLITS = 200  # splits in one poll; up to nine find one rejected metric among 500

# Error codes about the content of a request, for which a repetition is useless. Sources: the model of
# GetMetricData, and
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html
VALIDATION_CODES = frozenset(
    {
        "InvalidParameterCombination",
        "InvalidParameterCombinationException",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "MissingParameter",
        "MissingRequiredParameterException",
        "ValidationError",
        "ValidationException",
    }
)


class InvalidRequestError(HeadroomError):
    """CloudWatch rejected the content of a request."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.sentence)
        self.failure = failure


class RejectedMetrics:
    """The metrics of a cell that CloudWatch rejects. clock: a monotonic clock, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rejected_at: dict[bytes, float] = {}  # times of the clock, by metric
        self._splits = 0

    @property
    def metrics(self) -> Set[bytes]:
        """The metrics that requests omit now."""
        return self._rejected_at.keys()

    def start_poll(self) -> None:
        """Begin a new poll, which may split MAX_SPLITS requests."""
        self._splits = 0

    def try_split(self) -> bool:
        """Count a split of a request. Return false if this poll has already made MAX_SPLITS of them."""
        self._splits += 1
        return self._splits <= MAX_SPLITS

    def add(self, metric: bytes) -> None:
        """Add a metric, which requests omit for RETRY_INTERVAL seconds from now on."""
        self._rejected_at[metric] = self._clock()

    def separate_retries(self, rows: Mapping[bytes, int]) -> tuple[Mapping[bytes, int], Mapping[bytes, int]]:
        """Return the metrics that are not rejected, and the rejected ones to request again now.

        rows: by metric; omitted metrics are in neither result.
        """
        if not self._rejected_at:
            return rows, {}
        retry_before = self._clock() - RETRY_INTERVAL
        accepted = {metric: row for metric, row in rows.items() if metric not in self._rejected_at}
        retried = [metric for metric, rejected_at in self._rejected_at.items() if rejected_at <= retry_before]
        for metric in retried:
            del self._rejected_at[metric]
        return accepted, {metric: rows[metric] for metric in retried if metric in rows}


def is_validation_error(error: Exception) -> bool:
    """Return true if CloudWatch rejected the content of a request, not its credentials, time or rate."""
    return isinstance(error, ClientError) and error_code(error) in VALIDATION_CODES
