"""Alerts as Alertmanager knows them: identity is the set of labels, so nothing that changes is a label."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from monitor.alerting.notice import Kind, Notice, Notification, Severity
from monitor.notifiers.text import clean, links, remedy, rfc3339

NEVER = "0001-01-01T00:00:00Z"  # Go's zero time, as Alertmanager writes the end of what still fires


def alertname(labels: Mapping[str, str]) -> str:
    """`HeadroomKinesisStreamWriteBytes`, `HeadroomBlind`: from the service and the signal."""
    named = "_".join(filter(None, (labels.get("service"), labels.get("signal") or "blind")))
    return "Headroom" + "".join(word[:1].upper() + word[1:] for word in named.split("_"))


def labels(notice: Notice) -> dict[str, str]:
    """Without empty ones, which Alertmanager drops."""
    named = {"alertname": alertname(notice.labels), **notice.labels, "severity": str(notice.severity)}
    return {clean(name): clean(value) for name, value in named.items() if clean(value)}


def annotations(notice: Notice) -> dict[str, str]:
    named = links(notice)
    said = {
        "summary": clean(notice.summary),
        "description": " ".join(remedy(notice)),
        "reason": clean(notice.reason),
        "runbook_url": named.get("runbook", ""),
        **{f"{name}_url": url for name, url in named.items()},
    }
    return {name: value for name, value in said.items() if value}


def generator(notice: Notice) -> str:
    """The page of what the alert is about."""
    return links(notice).get("page", "")


def webhook(notification: Notification) -> dict[str, Any]:
    """The body of Alertmanager's webhook_config, version "4"."""
    alerts = [_alert(notice) for notice in notification.notices]
    page = urlsplit(next(filter(None, map(generator, notification.notices)), ""))
    return {
        "version": "4",
        "groupKey": _group_key(notification.group),
        "truncatedAlerts": notification.more,
        "status": "firing" if notification.firing else "resolved",
        "receiver": notification.receiver,
        "groupLabels": dict(notification.group),
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
        "endsAt": NEVER if notice.firing else rfc3339(notice.at),
        "generatorURL": generator(notice),
        "fingerprint": notice.alert,
    }


def _group_key(group: Mapping[str, str]) -> str:
    named = (f"{name}={json.dumps(value)}" for name, value in sorted(group.items()))
    return "{}:{" + ", ".join(named) + "}"


def _common(sets: list[dict[str, str]]) -> dict[str, str]:
    return {name: value for name, value in sets[0].items() if all(one.get(name) == value for one in sets)}


def posted(notification: Notification, now: float, lasting: float) -> list[dict[str, Any]]:
    """The body of POST /api/v2/alerts: what fires lasts `lasting` seconds unless sent again."""
    return [alert for notice in notification.notices for alert in _posted(notice, now, lasting)]


def _posted(notice: Notice, now: float, lasting: float) -> Iterator[dict[str, Any]]:
    own = {
        "labels": labels(notice),
        "annotations": annotations(notice),
        "startsAt": rfc3339(notice.since),
        "endsAt": rfc3339(now + lasting if notice.firing else max(notice.at, notice.since)),
        "generatorURL": generator(notice),
    }
    yield own
    if notice.kind in (Kind.WORSENED, Kind.EASED):  # with its old severity it was another alert
        for severity in set(Severity) - {notice.severity}:
            ended = {"endsAt": rfc3339(max(notice.at, notice.since))}
            yield own | ended | {"labels": {**labels(notice), "severity": str(severity)}}
