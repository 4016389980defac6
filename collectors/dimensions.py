"""Checks of the values of CloudWatch dimensions.

One invalid value makes CloudWatch reject a whole GetMetricData request, so metrics with an invalid value are
not requested. Rules: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
"""

from collections.abc import Iterator
from dataclasses import replace

from collectors.base import Metric, Observed, Unobservable, Usage

MAX_VALUE_LENGTH = 1024  # characters
MAX_SHOWN_LENGTH = 60  # characters of an invalid value in a message


def value_problem(value: str) -> str | None:
    """Return why a dimension value is invalid, as the end of a sentence; None if it is valid."""
    if not value.isascii():
        return "has characters that are not ASCII"
    if not value.isprintable():
        return "has control characters"
    if not value.strip():
        return "is blank"
    if len(value) > MAX_VALUE_LENGTH:
        return f"is longer than {MAX_VALUE_LENGTH:,} characters"
    return None


def metrics_of(usage: Usage | float | Unobservable | None) -> Iterator[Metric]:
    """Yield the metrics that a usage is computed from."""
    if isinstance(usage, Usage):
        yield from usage.metrics


def metric_problem(metric: Metric) -> str | None:
    """Return why a metric cannot be requested; None if it can be requested."""
    for name, value in metric.dimensions:
        if problem := value_problem(value):
            shown = value if len(value) <= MAX_SHOWN_LENGTH else value[:MAX_SHOWN_LENGTH] + "..."
            return f"CloudWatch takes no {name} that {problem}: {shown!a}"
    return None


def first_problem(*usages: Usage | float | Unobservable | None) -> Unobservable | None:
    """Return why the first invalid metric of these usages cannot be requested; None if all can be."""
    problems = (metric_problem(metric) for usage in usages for metric in metrics_of(usage))
    return next((Unobservable(problem) for problem in problems if problem), None)


def without_invalid_metrics(observed: Observed) -> Observed:
    """Remove the metrics that cannot be requested from a series, and return the series.

    If a metric of its usage, throttled demand or upper bound is invalid, the series is unobservable. If a
    metric of its published limit is invalid, the limit of the API is used. If a metric of its served demand
    is invalid, the share of demand that is throttled is unknown.
    """
    if not any(map(metric_problem, observed.metrics)):
        return observed
    if problem := first_problem(observed.usage, observed.throttled, observed.upper_bound):
        unobservable = replace(
            observed, served=None, upper_bound=None, published_limit=None, bounded_because=None, usage=problem
        )
        return replace(unobservable, throttled=None, throttled_by_cause={})
    if first_problem(observed.published_limit):
        observed = replace(observed, published_limit=None)
    return replace(observed, served=None) if first_problem(observed.served) else observed
