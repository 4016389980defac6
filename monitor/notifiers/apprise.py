"""Services that the library Apprise supports, if it is installed: `pip install 'aws-headroom[apprise]'`.

https://github.com/caronc/apprise
"""

import logging
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from monitor.notifiers.notice import Notification
from monitor.notifiers.receiver import BaseReceiver
from monitor.notifiers.text import plain_text, title
from monitor.outbound.result import DeliveryResult, delivered_result, refused_result, retry_result
from monitor.schema.problems import problem
from monitor.schema.secrets import Secret

if TYPE_CHECKING:
    from monitor.outbound.client import OutboundClient

NOT_INSTALLED = "Apprise is not installed: pip install 'aws-headroom[apprise]'"


class Apprise(BaseReceiver):
    """One of a hundred other services, through the extra `apprise`; set allow_insecure and allow_private.

    Apprise opens the connections, so Headroom's rules for addresses do not apply: both keys must be true.
    """

    type: Literal["apprise"] = "apprise"
    url: Secret = Field(
        description="The service's Apprise URL, which is a secret.",
        examples=["json://example.com/hook"],
    )

    async def addresses(self, client: "OutboundClient") -> Sequence[str]:
        return []

    async def attempt(self, notification: Notification, client: "OutboundClient") -> DeliveryResult:
        import asyncio

        try:
            services = await asyncio.to_thread(_services, self.url.get_secret_value())
        except ImportError:
            return refused_result("missing", NOT_INSTALLED)
        if not len(services):
            return refused_result("address", "Apprise: unsupported URL")
        try:
            async with asyncio.timeout(self.timeout):
                accepted = await services.async_notify(**payload(notification, self))
        except TimeoutError:
            return retry_result("timeout", f"Apprise: no result within {self.timeout:g} s")
        if not accepted:
            return retry_result("failed", "Apprise could not deliver it; see its log")
        return delivered_result("Apprise delivered it")

    @model_validator(mode="after")
    def _check_permissions(self) -> Self:
        if not (self.allow_insecure and self.allow_private):
            raise problem("expected allow_insecure: true and allow_private: true, as Apprise ignores both")
        return self


def payload(notification: Notification, receiver: Apprise) -> dict[str, Any]:
    """Return the arguments of Apprise's `notify`."""
    notify_types = {"info": "info", "warning": "warning", "critical": "failure"}
    return {
        "title": title(notification),
        "body": plain_text(notification),
        "notify_type": notify_types[notification.severity] if notification.firing else "success",
        "body_format": "text",
    }


def _services(url: str) -> Any:
    """Return the services of a URL, none for an unsupported one. Blocks while Apprise imports its plugins."""
    apprise = import_module("apprise")
    logging.getLogger("apprise").setLevel(logging.WARNING)  # at lower levels it logs whole URLs
    services = apprise.Apprise()
    services.add(url)
    return services
