"""SQS: moto answers everything; a queue at its limit simply moves no more messages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.demo.metric import EVENTS, READING, Emitted, accepted
from monitor.demo.region import Region, Service
from monitor.demo.traffic import Floats, Minutes, Traffic

IN_FLIGHT = 120_000  # messages of one queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue; `sent` is a share of `per_second`, `in_flight` of 120,000 messages."""

    name: str
    sent: Traffic
    in_flight: Traffic
    per_second: float = 3000  # of a FIFO queue with batching: its limit
    high_throughput: bool = False

    @property
    def fifo(self) -> bool:
        return self.name.endswith(".fifo")

    def messages(self, minutes: Minutes) -> Floats:
        """Messages sent in each minute."""
        demand = self.sent.at(self.name, minutes)
        return (accepted(demand) if self.fifo else demand) * self.per_second * 60

    def empty_receives(self, minutes: Minutes) -> Floats:
        """Nine pollers, each of which waits 20 s in vain."""
        return np.where(np.isnan(self.messages(minutes)), np.nan, 9 * 60 / 20)

    def invisible(self, minutes: Minutes) -> Floats:
        """Messages in flight."""
        return np.round(accepted(self.in_flight.at(self.name + "/in-flight", minutes)) * IN_FLIGHT)


def emitted(region: Region) -> Iterator[Emitted]:
    for queue in region.all(Queue):
        yield from of_queue(queue)


def of_queue(queue: Queue) -> Iterator[Emitted]:
    where = {"QueueName": queue.name}
    for name in ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"):
        yield Emitted("AWS/SQS", name, where, EVENTS, queue.messages)
    yield Emitted("AWS/SQS", "NumberOfEmptyReceives", where, EVENTS, queue.empty_receives)
    readings = {
        "ApproximateNumberOfMessagesNotVisible": queue.invisible,
        "ApproximateNumberOfMessagesVisible": lambda m: np.round(0.3 * queue.invisible(m)),
        "ApproximateAgeOfOldestMessage": lambda m: np.round(queue.invisible(m) / 200),
    }
    if queue.fifo:
        groups = "ApproximateNumberOfGroupsWithInflightMessages"
        readings[groups] = lambda m: np.ceil(queue.invisible(m) / 20)
    for name, at in readings.items():
        yield Emitted("AWS/SQS", name, where, READING, at)


def seed(region: Region, sqs: Any) -> None:
    for queue in region.all(Queue):
        attributes = {"FifoQueue": "true"} if queue.fifo else {}
        if queue.high_throughput:
            attributes |= {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
        sqs.create_queue(QueueName=queue.name, Attributes=attributes)


SERVICE = Service(name="sqs", emitted=emitted, seed=seed)
