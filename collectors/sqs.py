"""SQS: messages that move through FIFO queues, and messages in flight in every queue.

CloudWatch counts messages while SQS limits calls, and a call moves one to ten messages. So the message rate
is held against the limit on batched messages, and the call rate is a range.

Limits: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
Metrics: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial

from collectors.base import PER_MINUTE, Aws, Collector, Metric, Observed, highest

FIFO = ".fifo"  # how the name of every FIFO queue ends, and of no other
PAGE = 1000  # queues; ListQueues tells of further ones only when a page size is asked for
BATCH = 10  # messages that one call moves at most
HIGH_THROUGHPUT = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}

sent = Metric("AWS/SQS", "NumberOfMessagesSent", "Sum")
received = Metric("AWS/SQS", "NumberOfMessagesReceived", "Sum")
deleted = Metric("AWS/SQS", "NumberOfMessagesDeleted", "Sum")
not_visible = Metric("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Maximum")


async def queues(aws: Aws) -> AsyncIterator[Observed]:
    fifo = []
    async for url in aws.pages("sqs", "ListQueues", "QueueUrls", MaxResults=PAGE):
        yield in_flight(queue_name(url))
        if url.endswith(FIFO):
            fifo.append(url)
    async for url, mode in aws.each(fifo, partial(throughput_mode, aws), queue_name):
        for observed in rates(queue_name(url), high_throughput=mode == HIGH_THROUGHPUT):
            yield observed


def queue_name(url: str) -> str:
    return url.rpartition("/")[2]


async def throughput_mode(aws: Aws, url: str) -> Mapping[str, str]:
    """The attributes of a FIFO queue that decide which limits it has."""
    answer = await aws.call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=[*HIGH_THROUGHPUT])
    mode: Mapping[str, str] = answer.get("Attributes", {})
    return mode


def in_flight(queue: str) -> Observed:
    return Observed(
        signal="fifo_in_flight" if queue.endswith(FIFO) else "standard_in_flight",
        resource=queue,
        usage=highest(not_visible.of(QueueName=queue)),
    )


def rates(queue: str, high_throughput: bool) -> Iterator[Observed]:
    """The limits hold for each action on its own, so the busiest one counts."""
    moved = highest(*(metric.of(QueueName=queue) for metric in (sent, received, deleted))).scaled(PER_MINUTE)
    yield Observed(
        signal="fifo_high_throughput_message_rate" if high_throughput else "fifo_message_rate_batched",
        resource=queue,
        usage=moved,
    )
    yield Observed(
        signal="fifo_high_throughput_api_rate" if high_throughput else "fifo_api_rate",
        resource=queue,
        usage=moved.scaled(1 / BATCH),
        at_most=moved,
    )


COLLECTOR = Collector(
    service="sqs",
    parts=(queues,),
    metrics=(sent, received, deleted, not_visible),
    actions=("sqs:ListQueues", "sqs:GetQueueAttributes"),
)
