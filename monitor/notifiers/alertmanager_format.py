"""Alertmanager's formats. Alertmanager identifies an alert by labels, so changing values are annotations."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from monitor.lib.label_names import exported_labels
from monitor.lib.text import single_line
from monitor.notifiers.notice import Notice, NoticeKind, Notification, Severity
from monitor.notifiers.text import links, remedy, rfc3339

ZERO_TIME = "0001-01-01T00:00:00Z"  # Go's zero time: Alertmanager's `endsAt` of a firing alert


def alertname(labels: Mapping[str, str]) -> str:
    """Return the alertname of labels, such as `HeadroomKinesisStreamWriteBytes` or `HeadroomBlind`."""
    words = "_".join(filter(None, (labels.get("service"), labels.get("signal") or "blind")))
    return "Headroom" + "".join(word[:1].upper() + word[1:] for word in words.split("_"))


def labels(notice: Notice) -> dict[str, str]:
    """Return the labels, named as in Headroom's metrics, so that a matcher also fits Prometheus' alerts.

    Empty labels are omitted, as Alertmanager drops them.
    """
    values = {
        "alertname": alertname(notice.labels),
        **exported_labels(notice.labels),
        "severity": str(notice.severity),
    }
    return {single_line(name): single_line(value) for name, value in values.items() if single_line(value)}


def annotations(notice: Notice) -> dict[str, str]:
    """Return the annotations: summary, description, reason and links."""
    urls = links(notice)
    texts = {
        "summary": single_line(notice.summary),
        "description": " ".join(remedy(notice)),
        "reason": single_line(notice.resolution_reason),
        "runbook_url": urls.get("runbook", ""),
        **{f"{name}_url": url for name, url in urls.items()},
    }
    return {name: value for name, value in texts.items() if value}


def generator_url(notice: Notice) -> str:
    """Return the URL of the alert's page."""
    return links(notice).get("page", "")


def webhook_payload(notification: Notification) -> dict[str, Any]:
    """Return the body of Alertmanager's webhook_config, version "4"."""
    alerts = [_alert(notice) for notice in notification.notices]
    page = urlsplit(next(filter(None, map(generator_url, notification.notices)), ""))
    return {
        "version": "4",
        "groupKey": _group_key(exported_labels(notification.group)),
        "truncatedAlerts": notification.more,
        "status": "firing" if notification.firing else "resolved",
        "receiver": notification.receiver,
        "groupLabels": exported_labels(notification.group),
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": f"{page.scheme}://{page.netloc}" if page.netloc else "",
        "alerts": alerts,
    }


def _alert(notice: Notice) -> dict[str, Any]:
    return {
        "status": "firing" if notice.firing else "resolved",
        "labels": labels(notice),
        "annotations": annotations(notice),
        "startsAt": rfc3339(notice.since),
        "endsAt": ZERO_TIME if notice.firing else rfc3339(notice.at),
        "generatorURL": generator_url(notice),
        "fingerprint": notice.alert,
    }


def _group_key(group: Mapping[str, str]) -> str:
    """Return the key that Alertmanager gives to a group of the root route."""
    matchers = (f"{name}={json.dumps(value)}" for name, value in sorted(group.items()))
    return "{}:{" + ", ".join(matchers) + "}"


def _common(mappings: list[dict[str, str]]) -> dict[str, str]:
    """Return the names and values that all of the mappings contain."""
    return {
        name: value
        for name, value in mappings[0].items()
        if all(mapping.get(name) == value for mapping in mappings)
    }


def postable_alerts(notification: Notification, now: float, validity: float) -> list[dict[str, Any]]:
    """Return the body of POST /api/v2/alerts. validity: seconds after which a firing alert expires."""
    return [alert for notice in notification.notices for alert in _postable(notice, now, validity)]


def _postable(notice: Notice, now: float, validity: float) -> Iterator[dict[str, Any]]:
    alert = {
        "labels": labels(notice),
        "annotations": annotations(notice),
        "startsAt": rfc3339(notice.since),
        "endsAt": rfc3339(now + validity if notice.firing else max(notice.at, notice.since)),
        "generatorURL": generator_url(notice),
    }
    yield alert
    if notice.kind in (NoticeKind.WORSENED, NoticeKind.EASED):
        # For Alertmanager, the alert with the former severity is another alert, which ends here.
        for severity in set(Severity) - {notice.severity}:
            ended = {"endsAt": rfc3339(max(notice.at, notice.since))}
            yield alert | ended | {"labels": {**labels(notice), "severity": str(severity)}}
