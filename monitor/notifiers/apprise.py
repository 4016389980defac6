"""The many other services that Apprise knows, if it is installed: `pip install 'aws-headroom[apprise]'`.

https://github.com/caronc/apprise
"""

import asyncio
import logging
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from monitor.alerting.notice import Notification
from monitor.config_errors import problem
from monitor.notifiers.answer import Answer, delivered, refused, retry
from monitor.notifiers.receiver import Base
from monitor.notifiers.secrets import Secret
from monitor.notifiers.text import plain, title
from monitor.outbound import Outbound

MISSING = "Apprise is not installed: pip install 'aws-headroom[apprise]'"


class Apprise(Base):
    """A service by its Apprise URL. Apprise connects by itself, so our rules for addresses cannot hold."""

    type: Literal["apprise"] = "apprise"
    url: Secret = Field(description="The service's Apprise URL, which is a secret.")

    async def addresses(self, client: Outbound) -> Sequence[str]:
        return []

    async def attempt(self, notification: Notification, client: Outbound) -> Answer:
        try:
            channel = await asyncio.to_thread(_channel, self.url.get_secret_value())
        except ImportError:
            return refused("missing", MISSING)
        if not len(channel):
            return refused("address", "Apprise: the URL is not one that it knows")
        try:
            async with asyncio.timeout(self.timeout):
                taken = await channel.async_notify(**payload(notification, self))
        except TimeoutError:
            return retry("timeout", f"Apprise did not end within {self.timeout:g} s")
        if not taken:
            return retry("failed", "Apprise could not deliver it; the log of Apprise says more")
        return delivered("Apprise delivered it")

    @model_validator(mode="after")
    def _is_allowed(self) -> Self:
        if not (self.allow_insecure and self.allow_private):
            raise problem(
                "expected allow_insecure: true and allow_private: true, as Apprise connects wherever it wants"
            )
        return self


def payload(notification: Notification, receiver: Apprise) -> dict[str, Any]:
    """The arguments of a notification in Apprise's words."""
    kinds = {"info": "info", "warning": "warning", "critical": "failure"}
    return {
        "title": title(notification),
        "body": plain(notification),
        "notify_type": kinds[notification.severity] if notification.firing else "success",
        "body_format": "text",
    }


def _channel(url: str) -> Any:
    """The services of a URL: none when it knows none. Blocks while it imports all that it knows."""
    apprise = import_module("apprise")
    logging.getLogger("apprise").setLevel(logging.WARNING)  # below, it tells whole URLs
    channel = apprise.Apprise()
    channel.add(url)
    return channel
