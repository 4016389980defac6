"""The metrics that AWS publishes, each with the names of its dimensions: `published_metrics.txt`.

CloudWatch finds a metric only by its whole set of dimensions. `tests/acceptance/test_reference.py` compares
the list with the reference catalogue, which was made from AWS's pages.
"""

from collections.abc import Iterable
from pathlib import Path

from collectors.base import Observed

PUBLISHED_METRICS = frozenset(Path(__file__).with_suffix(".txt").read_text("utf-8").splitlines())


def metric_text(namespace: str, name: str, dimensions: Iterable[str]) -> str:
    """Return a metric as it is written in the list: `AWS/SQS NumberOfMessagesSent{QueueName}`."""
    return f"{namespace} {name}{{{', '.join(sorted(dimensions))}}}"


def unpublished_metrics(observed: Observed) -> list[str]:
    """Return the metrics of a series that are not in the list."""
    texts = {
        metric_text(metric.namespace, metric.name, [name for name, _ in metric.dimensions])
        for metric in observed.metrics
    }
    return sorted(texts - PUBLISHED_METRICS)
