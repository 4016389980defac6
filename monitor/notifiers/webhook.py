"""A webhook: JSON of ours, signed as Standard Webhooks says, or Alertmanager's own format.

https://www.standardwebhooks.com and https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from monitor.alerting.notice import Notification
from monitor.notifiers import alertmanager_format, webhook_body
from monitor.notifiers.answer import Answer
from monitor.notifiers.fields import choice
from monitor.notifiers.json_body import encoded
from monitor.notifiers.receiver import Base
from monitor.notifiers.secrets import Secret, SecretUrl
from monitor.notifiers.signature import SigningSecret, signed
from monitor.outbound import Outbound


class Webhook(Base):
    """Any program that takes JSON."""

    type: Literal["webhook"] = "webhook"
    url: SecretUrl = Field(description="Where to send.")
    format: Annotated[Literal["headroom", "alertmanager"], choice("headroom", "alertmanager")] = Field(
        default="headroom", description="The body: Headroom's own, or that of Alertmanager's webhook_config."
    )
    secret: SigningSecret | None = Field(
        default=None, description="What requests are signed with (Standard Webhooks): whsec_ and base64."
    )
    authorization: Secret | None = Field(
        default=None, description="The Authorization header, such as: Bearer and a token."
    )

    async def attempt(self, notification: Notification, client: Outbound) -> Answer:
        body = encoded(payload(notification, self))
        headers = signed(notification.id, int(client.now()), body, self.secret)
        if self.authorization:
            headers["Authorization"] = self.authorization.get_secret_value()
        return await client.post(self.url.get_secret_value(), body, self.policy, headers)


def payload(notification: Notification, receiver: Webhook) -> dict[str, Any]:
    """What is sent, ready for JSON."""
    if receiver.format == "alertmanager":
        return alertmanager_format.webhook(notification)
    built: dict[str, Any] = msgspec.to_builtins(webhook_body.body(notification))
    return built
