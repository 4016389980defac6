"""The models of requests and responses about alerts, silences and deliveries."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from monitor.schema.types import Duration

Text = Annotated[str, Field(min_length=1, max_length=1000)]


class RequestBody(BaseModel):
    """The base of request bodies. Unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid")


class AcknowledgeRequest(RequestBody):
    """An acknowledgement. duration: seconds, or text such as 2h; without it, until the alert ends."""

    author: Text
    comment: Text
    duration: Annotated[Duration, Field(gt=0)] | None = None


class SilenceRequest(RequestBody):
    """A silence from now on. matchers: in Alertmanager's syntax. duration: seconds, or text such as 2h."""

    matchers: Annotated[list[str], Field(min_length=1)]
    duration: Annotated[Duration, Field(gt=0)]
    author: Text
    comment: Text


class AlertReceiverModel(BaseModel):
    """A receiver of an alert.

    state: told: the receiver was notified; soon, or later by its time window: the receiver is still to be
    notified; queued: a notification waits; failing: a notification waits and its last attempt failed; not
    delivered: Headroom gave up.
    """

    receiver: str = Field(description="The name in the configuration.")
    state: str = Field(description="Whether it was told.")


class AlertModel(BaseModel):
    """An alert with its last notice. state: pending or firing.

    utilization: 0.8 for 80 %. saturation: throttled demand per second. silenced_by: the id of the silence
    that suppresses notifications. inhibited_by: the id of the alert that suppresses notifications. series_id:
    the id of the series that the alert is about; empty for a blind spot. runbook: the runbook, as a URL or as
    a path on this server.
    """

    id: str = Field(description="The id, which stays the same while it is the same problem.")
    state: str
    severity: str
    zone: str
    summary: str
    labels: dict[str, str]
    since: datetime
    usage: float | None
    limit: float | None
    unit: str
    utilization: float | None
    saturation: float | None
    remedy: list[str]
    docs: str
    runbook: str
    links: dict[str, str]
    acknowledged_by: str | None = Field(default=None, description="Who works on it; null where nobody does.")
    acknowledged_comment: str | None = Field(default=None, description="What they said.")
    acknowledged_until: datetime | None = Field(default=None, description="Until when; null without an end.")
    silenced_by: str | None = None
    inhibited_by: str | None = None
    series_id: str = ""
    receivers: list[AlertReceiverModel] = Field(
        default=[], description="Who is told of it; empty where nobody is, and of what is pending."
    )


class SilenceModel(BaseModel):
    """A silence that has not ended.

    alerts: the number of firing alerts that the silence matches. unmatched: why the silence matches no alert
    and no series, with the nearest label; null if it matches any, or has ended.
    """

    id: str = Field(description="By which it is ended.")
    matchers: list[str]
    starts: datetime = Field(description="When it began.")
    ends: datetime = Field(description="When it ends by itself.")
    author: str
    comment: str
    alerts: int = 0
    unmatched: str | None = None


class DeadLetterModel(BaseModel):
    """A notification that could not be delivered.

    status: the HTTP or SMTP status of the last attempt. error: the error of the last attempt, in a sentence.
    at: when Headroom gave up. reason: why the receiver was to be notified.
    """

    id: str = Field(description="Of the notification.")
    status: int | None
    error: str
    at: datetime
    reason: str


class ReceiverStatusModel(BaseModel):
    """The deliveries to a receiver since the start, and its queue.

    queued: the number of notices that wait for delivery. last_reason: why the last accepted notification was
    sent. last_error: the error of the last attempt; null if the attempt succeeded. unreachable: why the last
    check of the receiver could not connect; null if the check connected, or if the receiver's address is
    known only during a delivery.
    Receivers are checked at the start and at a reload, and unreachable receivers every minute.
    """

    receiver: str
    queued: int
    oldest_queued: datetime | None = Field(description="Since when the oldest of them waits.")
    dead_letters: list[DeadLetterModel] = Field(description="What could not be delivered, the newest first.")
    sent: int = Field(description="Notifications that were accepted.")
    failed: int = Field(description="Attempts that failed.")
    last_accepted: datetime | None = Field(description="When the last one was accepted.")
    last_reason: str | None
    last_error: str | None
    unreachable: str | None


class AlertList(BaseModel):
    """A list of alerts: firing before pending, then alerts that nobody handles, then the most urgent.

    total: the number of all alerts, listed or not.
    """

    items: list[AlertModel]
    total: int


class SilenceList(BaseModel):
    """A list of silences, ordered by their end."""

    items: list[SilenceModel]


class ReceiverStatusList(BaseModel):
    """A list of receivers."""

    items: list[ReceiverStatusModel]


class ReplayResult(BaseModel):
    """The number of dead letters that are sent again."""

    replayed: int = Field(description="How many are sent again.")


class SentModel(BaseModel):
    """A receiver that was notified.

    reason: why the receiver was notified: first, escalated, grew, eased, resolved, repeated or keepalive.
    """

    receiver: str
    reason: str
    at: datetime = Field(description="When the receiver accepted it.")


class NoticeModel(BaseModel):
    """An alert at one moment, when it changed.

    alert: the id of the alert. number: the number of the notice; later notices have higher numbers. kind:
    firing, worsened, eased, resolved or repeated. at: when the alert changed. since: when the breach began.
    usage: the usage in `unit`. source: where the limit was read; empty for a blind spot. utilization: 0.8 for
    80 %. saturation: throttled demand per second. sampled_at: the minute of the newest sample. places: for a
    blind spot, the number of affected places; for a forecast, how near the breach is, from 1 (within three
    days) to 4 (within an hour). resolution_reason: why the alert ended; empty if the usage simply fell, or if
    the alert fires. remedy: what to do. docs: AWS's page. links: addresses by name: page, runbook, console,
    grafana. series_id: the id of the series that the alert is about; empty for a blind spot. notified: the
    receivers that were notified of the notice, and when, including repeats.
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


class NoticeList(BaseModel):
    """A list of notices, the newest first, including notices that were sent to no receiver."""

    items: list[NoticeModel]
