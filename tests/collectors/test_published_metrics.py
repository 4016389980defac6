"""Collectors read metrics that AWS publishes, with exactly the dimensions that AWS publishes.

`FakeAws.run_scan` checks the series of all tests of collectors in Python, and `test_declared.py` those of the
tables of declared services.
"""

import pytest

from collectors.base import Metric, Observed, total
from tests.published_metrics import PUBLISHED_METRICS, unpublished_metrics
from tests.registries import REGISTRY
from tests.resources import resource

sent = Metric("AWS/SQS", "NumberOfMessagesSent", "Sum")
bucket_requests = Metric("AWS/S3", "PutRequests", "Sum")


def test_every_metric_that_a_collector_reads_is_published() -> None:
    published = {text.partition("{")[0] for text in PUBLISHED_METRICS}
    metrics = [metric for collector in REGISTRY.collectors for metric in collector.metrics]
    assert {f"{metric.namespace} {metric.name}" for metric in metrics} - published == set()


@pytest.mark.parametrize(
    ("metric", "unpublished"),
    [
        (sent.of(QueueName="orders"), []),
        (sent, ["AWS/SQS NumberOfMessagesSent{}"]),
        (sent.of(QueueName="orders", Region="x"), ["AWS/SQS NumberOfMessagesSent{QueueName, Region}"]),
        (sent.of(queueName="orders"), ["AWS/SQS NumberOfMessagesSent{queueName}"]),
        (bucket_requests.of(FilterId="all", BucketName="media"), []),
        (bucket_requests.of(BucketName="media"), ["AWS/S3 PutRequests{BucketName}"]),
    ],
)
def test_a_metric_is_published_only_with_its_whole_set_of_dimensions(
    metric: Metric, unpublished: list[str]
) -> None:
    usage = Observed(signal="sent", resource=resource("x"), usage=total(metric))
    throttled = Observed(signal="sent", resource=resource("x"), usage=5.0, throttled=total(metric))
    assert unpublished_metrics(usage) == unpublished_metrics(throttled) == unpublished
