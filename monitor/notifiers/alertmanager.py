"""Prometheus Alertmanager: every replica is told, none through a load balancer; one that takes it suffices.

https://prometheus.io/docs/alerting/latest/alerts_api/
"""

import asyncio
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from monitor.alerting.notice import Notification
from monitor.notifiers import alertmanager_format
from monitor.notifiers.answer import Answer, any_of
from monitor.notifiers.fields import SOME
from monitor.notifiers.json_body import encoded
from monitor.notifiers.receiver import Base
from monitor.notifiers.secrets import Secret, SecretUrl
from monitor.outbound import Outbound

PATH = "/api/v2/alerts"
MISSED = 4  # times an alert may fail to be sent again before Alertmanager takes it for resolved


class Alertmanager(Base):
    """One Alertmanager, or the replicas of one cluster.

    It takes an alert for resolved that is not sent again, so those that fire must be, every `keepalive`.
    A replica that was away learns of them then.
    """

    per_alert: ClassVar[bool] = True
    keepalive: ClassVar[float | None] = 60.0

    type: Literal["alertmanager"] = "alertmanager"
    urls: Annotated[tuple[SecretUrl, ...], SOME] = Field(
        description="Addresses of all replicas, with the path prefix if there is one: http://alertmanager:9093",
    )
    authorization: Secret | None = Field(
        default=None, description="The Authorization header, such as: Bearer and a token."
    )

    async def attempt(self, notification: Notification, client: Outbound) -> Answer:
        body = encoded(payload(notification, self, client.now()))
        headers = {"Authorization": self.authorization.get_secret_value()} if self.authorization else None
        urls = (url.get_secret_value().rstrip("/") + PATH for url in self.urls)
        return any_of(await asyncio.gather(*(client.post(url, body, self.policy, headers) for url in urls)))


def payload(notification: Notification, receiver: Alertmanager, now: float) -> list[dict[str, Any]]:
    """What is sent at `now`, ready for JSON."""
    return alertmanager_format.posted(notification, now, MISSED * (receiver.keepalive or 0))
