"""Posts alerts to every replica of a Prometheus Alertmanager; one replica that accepts them suffices.

https://prometheus.io/docs/alerting/latest/alerts_api/
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from monitor.lib.json_body import encode_json
from monitor.notifiers import alertmanager_format
from monitor.notifiers.notice import Notification
from monitor.notifiers.receiver import BaseReceiver
from monitor.outbound.result import DeliveryResult, best_result
from monitor.schema.fields import NON_EMPTY
from monitor.schema.secrets import Secret, SecretUrl, check_authorization

if TYPE_CHECKING:
    from monitor.outbound.client import OutboundClient

PATH = "/api/v2/alerts"
MAX_MISSED_KEEPALIVES = 4  # failed repetitions after which Alertmanager resolves an alert


class Alertmanager(BaseReceiver):
    """All replicas of an Alertmanager, through their API; firing alerts are repeated every minute.

    Alertmanager resolves an alert that is not sent again within four times `keepalive` seconds. A replica
    that was down gets the alerts with the next repetition.
    """

    per_alert: ClassVar[bool] = True
    keepalive: ClassVar[float | None] = 60.0

    type: Literal["alertmanager"] = "alertmanager"
    urls: Annotated[tuple[SecretUrl, ...], NON_EMPTY] = Field(
        description="Addresses of all replicas, with the path prefix if there is one: http://alertmanager:9093",
        examples=[["https://alertmanager.example.com"]],
    )
    authorization: Secret | None = Field(
        default=None,
        description="The Authorization header, such as: Bearer and a token.",
        examples=["Bearer example-token"],
    )

    @model_validator(mode="after")
    def _check_authorization(self) -> Self:
        check_authorization(self.urls, self.authorization)
        return self

    async def attempt(self, notification: Notification, client: "OutboundClient") -> DeliveryResult:
        import asyncio

        body = encode_json(payload(notification, self, client.now()))
        headers = {"Authorization": self.authorization.get_secret_value()} if self.authorization else None
        urls = (url.get_secret_value().rstrip("/") + PATH for url in self.urls)
        return best_result(
            await asyncio.gather(*(client.post(url, body, self.policy, headers) for url in urls))
        )


def payload(notification: Notification, receiver: Alertmanager, now: float) -> list[dict[str, Any]]:
    """Return the alerts to post, ready for JSON. now: epoch seconds."""
    return alertmanager_format.postable_alerts(
        notification, now, MAX_MISSED_KEEPALIVES * (receiver.keepalive or 0)
    )
