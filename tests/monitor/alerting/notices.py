"""A notice of an alert on a series, for tests."""

from typing import Any

from monitor.notifiers.notice import Notice, NoticeKind, Severity
from tests.resources import resource as resource_named

ACCOUNT, REGION = "123456789012", "eu-west-1"


def notice(alert: str = "a", severity: Severity = Severity.WARNING, **changes: Any) -> Notice:
    """Return a notice that an alert on a Kinesis stream fires. `changes` replace its fields and labels.

    The name of the stream is the id of the alert, and the zone follows from the severity.
    """
    service, signal = changes.pop("service", "kinesis"), changes.pop("signal", "stream_write_bytes")
    resource = changes.pop("resource", alert)
    labels = {
        "account": changes.pop("account", ACCOUNT),
        "region": changes.pop("region", REGION),
        "service": service,
        "signal": signal,
        "resource": resource,
        "severity": severity,
    }
    zones = {Severity.INFO: "above", Severity.WARNING: "near", Severity.CRITICAL: "saturated"}
    fields = {
        "alert": alert,
        "number": 1,
        "kind": NoticeKind.FIRING,
        "severity": severity,
        "zone": zones[severity],
        "summary": f"{alert} is busy.",
        "labels": labels,
        "at": 0.0,
        "since": 0.0,
        "subject": resource_named(resource),
    }
    return Notice(**{**fields, **changes})
