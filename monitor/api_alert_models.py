"""What the API of alerts takes and answers."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from monitor.config_types import Duration

Said = Annotated[str, Field(min_length=1, max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AckBody(_Body):
    """Who takes care of an alert, why it needs no repeats, and for how long: else as long as it fires."""

    who: Said
    why: Said
    lasts: Annotated[Duration, Field(gt=0)] | None = None


class SilenceBody(_Body):
    """A mute: Alertmanager's matchers, and for how long from now (seconds, or a text such as 2h)."""

    matchers: Annotated[list[str], Field(min_length=1)]
    lasts: Annotated[Duration, Field(gt=0)]
    who: Said
    why: Said


class AlertModel(BaseModel):
    """An alert: its last notice, and what is done about it. state: pending or firing."""

    id: str
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
    links: dict[str, str]
    acknowledged_by: str | None = None
    acknowledged_why: str | None = None
    acknowledged_until: datetime | None = None
    muted_by: str | None = None
    explained_by: str | None = None


class SilenceModel(BaseModel):
    """A mute that is not over."""

    id: str
    matchers: list[str]
    starts: datetime
    ends: datetime
    who: str
    why: str


class DeliveryModel(BaseModel):
    """How it stands with a receiver. problem: the last attempt's, if it failed.

    unreachable: why it could not be connected to when that was tried last, at the start or a reload, and
    every minute since then; null when it could, or only a delivery can tell.
    """

    receiver: str
    queued: int
    oldest_queued: datetime | None
    parked: list[dict[str, Any]]
    sent: int
    failed: int
    last_accepted: datetime | None
    problem: str | None
    unreachable: str | None


class Alerts(BaseModel):
    """Alerts, the most urgent first, and how many there are in all."""

    items: list[AlertModel]
    total: int


class Silences(BaseModel):
    """A list of mutes, those that end first first."""

    items: list[SilenceModel]


class Deliveries(BaseModel):
    """A list of receivers."""

    items: list[DeliveryModel]


class Replayed(BaseModel):
    """How many parked notifications are sent again."""

    replayed: int


class Told(BaseModel):
    """Something that was told, or would have been: the newest first."""

    items: list[dict[str, Any]]
