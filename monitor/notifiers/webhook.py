"""Posts JSON to a webhook, in Headroom's or Alertmanager's format, signed as in Standard Webhooks.

https://www.standardwebhooks.com and https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import msgspec
from pydantic import Field, model_validator

from monitor.lib.json_body import encode_json
from monitor.notifiers import alertmanager_format, webhook_body
from monitor.notifiers.notice import Notification
from monitor.notifiers.receiver import BaseReceiver
from monitor.notifiers.signature import SigningSecret, signed_headers
from monitor.outbound.result import DeliveryResult
from monitor.schema.fields import choice
from monitor.schema.secrets import Secret, SecretUrl, check_authorization

if TYPE_CHECKING:
    from monitor.outbound.client import OutboundClient


class Webhook(BaseReceiver):
    """Any program that accepts JSON by HTTP POST: Headroom's body, or the body of Alertmanager's webhook."""

    type: Literal["webhook"] = "webhook"
    url: SecretUrl = Field(description="The URL to post to.", examples=["https://example.com/hook"])
    format: Annotated[Literal["headroom", "alertmanager"], choice("headroom", "alertmanager")] = Field(
        default="headroom",
        description="Format of the body: Headroom's, or that of Alertmanager's webhook_config.",
    )
    secret: SigningSecret | None = Field(
        default=None,
        description="The secret that signs requests (Standard Webhooks): whsec_ and base64.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    authorization: Secret | None = Field(
        default=None,
        description="The Authorization header, such as: Bearer and a token.",
        examples=["Bearer example-token"],
    )

    @model_validator(mode="after")
    def _check_authorization(self) -> Self:
        check_authorization((self.url,), self.authorization)
        return self

    async def attempt(self, notification: Notification, client: "OutboundClient") -> DeliveryResult:
        body = encode_json(payload(notification, self))
        headers = signed_headers(notification.id, int(client.now()), body, self.secret)
        if self.authorization:
            headers["Authorization"] = self.authorization.get_secret_value()
        return await client.post(self.url.get_secret_value(), body, self.policy, headers)


def payload(notification: Notification, receiver: Webhook) -> dict[str, Any]:
    """Return the body, ready for JSON."""
    if receiver.format == "alertmanager":
        return alertmanager_format.webhook_payload(notification)
    body: dict[str, Any] = msgspec.to_builtins(webhook_body.webhook_body(notification))
    return body
