"""SQS: moto stores the queues; their metrics are simulated."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.demo.metric import EVENTS, REPORTED_EACH_MINUTE, DemoMetric, accepted_demand
from monitor.demo.region import DemoRegion, DemoService
from monitor.demo.traffic import Minutes, Traffic
from rules.arrays import Float64s

MAX_IN_FLIGHT = 120_000  # messages in flight in one queue


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoQueue:
    """A queue.

    sent: the messages sent, as a share of `per_second`, which bounds only a FIFO queue. in_flight: the
    messages in flight, as a share of MAX_IN_FLIGHT.
    """

    name: str
    sent: Traffic
    in_flight: Traffic
    per_second: float = 3000  # messages; 3000 is the limit of a FIFO queue with batching
    high_throughput: bool = False

    @property
    def fifo(self) -> bool:
        """True if this is a FIFO queue."""
        return self.name.endswith(".fifo")

    def messages(self, minutes: Minutes) -> Float64s:
        """Return the messages sent in each minute."""
        demand = self.sent.demand(self.name, minutes)
        return (accepted_demand(demand) if self.fifo else demand) * self.per_second * 60

    def empty_receives(self, minutes: Minutes) -> Float64s:
        """Return the empty receives of nine pollers that wait 20 s each."""
        return np.where(np.isnan(self.messages(minutes)), np.nan, 9 * 60 / 20)

    def messages_in_flight(self, minutes: Minutes) -> Float64s:
        """Return the messages in flight in each minute."""
        return np.round(
            accepted_demand(self.in_flight.demand(self.name + "/in-flight", minutes)) * MAX_IN_FLIGHT
        )


def metrics(region: DemoRegion) -> Iterator[DemoMetric]:
    """Yield the metrics of all queues."""
    for queue in region.resources_of(DemoQueue):
        yield from queue_metrics(queue)


def queue_metrics(queue: DemoQueue) -> Iterator[DemoMetric]:
    """Yield the metrics of a queue."""
    dimensions = {"QueueName": queue.name}
    for name in ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"):
        yield DemoMetric("AWS/SQS", name, dimensions, EVENTS, queue.messages)
    yield DemoMetric("AWS/SQS", "NumberOfEmptyReceives", dimensions, EVENTS, queue.empty_receives)
    readings = {
        "ApproximateNumberOfMessagesNotVisible": queue.messages_in_flight,
        "ApproximateNumberOfMessagesVisible": lambda minutes: np.round(
            0.3 * queue.messages_in_flight(minutes)
        ),
        "ApproximateAgeOfOldestMessage": lambda minutes: np.round(queue.messages_in_flight(minutes) / 200),
    }
    if queue.fifo:
        groups = "ApproximateNumberOfGroupsWithInflightMessages"
        readings[groups] = lambda minutes: np.ceil(queue.messages_in_flight(minutes) / 20)
    for name, value_at in readings.items():
        yield DemoMetric("AWS/SQS", name, dimensions, REPORTED_EACH_MINUTE, value_at)


def seed(region: DemoRegion, sqs: Any) -> None:
    """Create the queues in moto."""
    for queue in region.resources_of(DemoQueue):
        attributes = {"FifoQueue": "true"} if queue.fifo else {}
        if queue.high_throughput:
            attributes |= {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
        sqs.create_queue(QueueName=queue.name, Attributes=attributes)


SERVICE = DemoService(name="sqs", metrics=metrics, seed=seed)
