"""The names of alerts in lists: the name of the resource, of the service, or of the account."""

from collectors.registry import Registry
from monitor.notifiers.notice import Notice
from monitor.render.text import shorten


def alert_name(notice: Notice, registry: Registry) -> str:
    """Return the subject of an alert in a few words, such as `orders`, `Lambda account` or `prod`."""
    labels = notice.labels
    if "resource" not in labels:
        return shorten(labels.get("account_name") or labels.get("account", ""))
    return shorten(labels["resource"] or f"{registry.title(labels['service'])} account")
