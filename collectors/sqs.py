"""SQS: the message and call rates of FIFO queues, and the messages in flight of all queues.

CloudWatch counts messages while SQS limits calls, and a call moves one to ten messages. So the message rate
is compared with the limit on batched messages, and the call rate is only bounded.

Limits: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
Metrics: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial

from collectors.base import PER_MINUTE, Aws, Collector, Metric, Observed, Resource, highest

FIFO = ".fifo"  # the suffix of the names of FIFO queues, and of no others
PAGE_SIZE = 1000  # queues; ListQueues returns a token for the next page only when MaxResults is given
MAX_BATCH = 10  # messages of one call
HIGH_THROUGHPUT = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}

sent = Metric("AWS/SQS", "NumberOfMessagesSent", "Sum")
received = Metric("AWS/SQS", "NumberOfMessagesReceived", "Sum")
deleted = Metric("AWS/SQS", "NumberOfMessagesDeleted", "Sum")
not_visible = Metric("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Maximum")


async def queues(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of all queues."""
    fifo = []
    async for url in aws.list_items("sqs", "ListQueues", "QueueUrls", MaxResults=PAGE_SIZE):
        yield in_flight_series(queue_name(url))
        if url.endswith(FIFO):
            fifo.append(url)
    async for url, mode in aws.map(
        fifo, partial(get_throughput_mode, aws), lambda url: queue_resource(queue_name(url))
    ):
        for observed in rate_series(queue_name(url), high_throughput=mode == HIGH_THROUGHPUT):
            yield observed


def queue_name(url: str) -> str:
    """The name of a queue in its URL."""
    return url.rpartition("/")[2]


def queue_resource(name: str) -> Resource:
    """The resource of a queue."""
    return Resource("queue", (name,))


async def get_throughput_mode(aws: Aws, url: str) -> Mapping[str, str]:
    """Get the attributes of a FIFO queue that determine its limits."""
    response = await aws.call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=[*HIGH_THROUGHPUT])
    mode: Mapping[str, str] = response.get("Attributes", {})
    return mode


def in_flight_series(name: str) -> Observed:
    """The series of the messages in flight of a queue."""
    return Observed(
        signal="fifo_in_flight" if name.endswith(FIFO) else "standard_in_flight",
        resource=queue_resource(name),
        usage=highest(not_visible.of(QueueName=name)),
    )


def rate_series(name: str, high_throughput: bool) -> Iterator[Observed]:
    """The series of the rates of a FIFO queue, of its busiest action, as limits apply to each action."""
    moved = highest(*(metric.of(QueueName=name) for metric in (sent, received, deleted))).scaled(PER_MINUTE)
    yield Observed(
        signal="fifo_high_throughput_message_rate" if high_throughput else "fifo_message_rate_batched",
        resource=queue_resource(name),
        usage=moved,
    )
    yield Observed(
        signal="fifo_high_throughput_api_rate" if high_throughput else "fifo_api_rate",
        resource=queue_resource(name),
        usage=moved.scaled(1 / MAX_BATCH),
        upper_bound=moved,
    )


COLLECTOR = Collector(
    service="sqs",
    scans=(queues,),
    metrics=(sent, received, deleted, not_visible),
    iam_actions=("sqs:ListQueues", "sqs:GetQueueAttributes"),
    arns={"queue": "arn:{partition}:sqs:{region}:{account_id}:{queue}"},
)
