"""The models of requests and responses about alerts, silences and deliveries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from monitor.api.models import ListModel
from monitor.schema.types import Duration

RequestText = Annotated[str, Field(min_length=1, max_length=1000)]


class RequestBody(BaseModel):
    """The base of request bodies. Unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid")


class AcknowledgeRequest(RequestBody):
    """An acknowledgement of an alert.

    duration: the duration in seconds, or as text such as 2h; without it, until the alert ends.
    """

    author: RequestText
    comment: RequestText
    duration: Annotated[Duration, Field(gt=0)] | None = None


class SilenceRequest(RequestBody):
    """A silence from now on. duration: the duration in seconds, or as text such as 2h."""

    matchers: Annotated[list[str], Field(min_length=1)]
    duration: Annotated[Duration, Field(gt=0)]
    author: RequestText
    comment: RequestText


class AlertReceiverModel(BaseModel):
    """A receiver of an alert, and whether it was notified."""

    receiver: str = Field(description="The name of the receiver in the configuration.")
    state: str = Field(
        description="`notified`: the receiver was notified. `soon`, or `later, by its time window`: the "
        "receiver is still to be notified. `queued`: a notification waits. `failing`: a notification waits, "
        "and the last attempt failed. `not delivered`: Headroom gave up."
    )


class AlertModel(BaseModel):
    """An alert with its last notice.

    state: the state of the alert, pending or firing. silenced_by: the id of the silence that suppresses
    notifications; null without one. inhibited_by: the id of the alert that suppresses notifications; null
    without one. series_id: the id of the series that the alert is about; empty for a blind spot. runbook: the
    runbook, as a URL or as a path on this server.
    """

    id: str = Field(description="The id of the alert, which stays the same as long as the problem does.")
    state: str
    severity: str
    zone: str
    summary: str
    labels: dict[str, str]
    since: datetime = Field(description="The time at which the breach began.")
    usage: float | None = Field(description="The usage in `unit`; null when it is not known.")
    limit: float | None = Field(description="The limit in `unit`; null when it is not known.")
    unit: str
    utilization: float | None
    saturation: float | None
    remedy: list[str]
    docs: str
    runbook: str
    links: dict[str, str]
    acknowledged_by: str | None = Field(
        default=None,
        description="The author of the acknowledgement; null when nobody has acknowledged the alert.",
    )
    acknowledged_comment: str | None = Field(
        default=None, description="The comment of the acknowledgement; null without one."
    )
    acknowledged_until: datetime | None = Field(
        default=None, description="The end of the acknowledgement; null when it lasts as long as the alert."
    )
    silenced_by: str | None = None
    inhibited_by: str | None = None
    series_id: str = ""
    receivers: list[AlertReceiverModel] = Field(
        default=[],
        description="The receivers of a firing alert; empty when no receiver is notified, and for pending "
        "alerts.",
    )


class SilenceModel(BaseModel):
    """A silence that has not ended.

    alerts: the number of firing alerts that the silence matches. unmatched_reason: the reason why the silence
    matches no alert and no series, with a similar label that exists; null if it matches an alert or a series,
    if it has ended, or if there are too many series to search.
    """

    id: str = Field(description="The id of the silence, with which it can be ended.")
    matchers: list[str]
    starts: datetime = Field(description="The time at which the silence began.")
    ends: datetime = Field(description="The time at which the silence ends by itself.")
    author: str
    comment: str
    alerts: int = 0
    unmatched_reason: str | None = None


class DeadLetterModel(BaseModel):
    """A notification that could not be delivered.

    status: the HTTP or SMTP status of the last attempt; None without a response. error: the error of the last
    attempt, in a sentence. at: the time at which Headroom gave up. reason: the reason for the notification,
    such as first or escalated.
    """

    id: str = Field(description="The id of the notification.")
    status: int | None
    error: str
    at: datetime
    reason: str


class ReceiverStatusModel(BaseModel):
    """The deliveries to a receiver since the start, and its queue.

    queued: the number of notices that wait for delivery. last_reason: the reason for the last accepted
    notification; None before the first one. last_error: the error of the last attempt; None if the attempt
    succeeded. unreachable: the reason why the last check of the receiver could not connect; None if the check
    connected, or if the receiver's address is known only during a delivery.
    Receivers are checked at the start and at a reload, and unreachable receivers every minute.
    """

    receiver: str
    queued: int
    oldest_queued: datetime | None = Field(
        description="The time since which the oldest queued notice waits; null when none is queued."
    )
    dead_letters: list[DeadLetterModel] = Field(
        description="The notifications that could not be delivered, the newest first."
    )
    sent: int = Field(description="The number of accepted notifications.")
    failed: int = Field(description="The number of failed delivery attempts.")
    last_accepted: datetime | None = Field(
        description="The time at which the last notification was accepted; null before the first one."
    )
    last_reason: str | None
    last_error: str | None
    unreachable: str | None


class AlertList(ListModel):
    """A list of alerts: firing alerts that nobody handles, other firing alerts, then pending alerts.

    In each of the three groups, the most urgent alerts are first.
    """

    items: Sequence[AlertModel]


class SilenceList(ListModel):
    """A list of silences, ordered by their end."""

    items: Sequence[SilenceModel]


class ReceiverStatusList(ListModel):
    """A list of receivers."""

    items: Sequence[ReceiverStatusModel]


class ReplayResult(BaseModel):
    """The number of dead letters that are sent again."""

    replayed: int = Field(description="The number of dead letters that are sent again.")


class SentModel(BaseModel):
    """A receiver that was notified.

    reason: the reason for the notification: first, escalated, grew, eased, resolved, repeated or keepalive.
    """

    receiver: str
    reason: str
    at: datetime = Field(description="The time at which the notification was due.")


class NoticeModel(BaseModel):
    """An alert at one moment, when it changed.

    alert: the id of the alert. number: the number of the notice; later notices have higher numbers. kind: the
    change: firing, worsened, eased, resolved or repeated. at: the time at which the alert changed. since: the
    time at which the breach began. source: the source of the limit; empty for a blind spot. sampled_at: the
    minute of the newest sample; None without one. places: for a blind spot, the number of affected places;
    for a forecast, how near the breach is, from 1 (within three days) to 4 (within an hour); else 0.
    resolution_reason: the reason why the alert ended; empty if the usage simply fell, or if the alert fires.
    series_id: the id of the series that the alert is about; empty for a blind spot. notified: the receivers
    that were notified, and when, including repeats.
    """

    alert: str
    number: int
    kind: str
    severity: str
    zone: str
    summary: str
    labels: dict[str, str]
    at: datetime
    since: datetime
    usage: float | None
    limit: float | None
    unit: str
    source: str
    utilization: float | None
    saturation: float | None
    sampled_at: datetime | None
    places: int
    resolution_reason: str
    remedy: list[str]
    docs: str
    links: dict[str, str]
    series_id: str
    notified: list[SentModel]


class NoticeList(ListModel):
    """A list of notices, the newest first, including notices that were sent to no receiver."""

    items: Sequence[NoticeModel]
