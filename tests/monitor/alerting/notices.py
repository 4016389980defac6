"""Notices to test with."""

from typing import Any

from monitor.alerting.notice import Kind, Notice, Severity

ACCOUNT, REGION = "123456789012", "eu-west-1"


def notice(alert: str = "a", severity: Severity = Severity.WARNING, **changes: Any) -> Notice:
    """A firing alert of a Kinesis stream of the same name, unless `changes` say otherwise."""
    service, signal = changes.pop("service", "kinesis"), changes.pop("signal", "stream_write_bytes")
    labels = {
        "account": changes.pop("account", ACCOUNT),
        "region": changes.pop("region", REGION),
        "service": service,
        "signal": signal,
        "resource": changes.pop("resource", alert),
        "severity": severity,
    }
    zones = {Severity.INFO: "above", Severity.WARNING: "critical", Severity.CRITICAL: "saturated"}
    given = {
        "alert": alert,
        "number": 1,
        "kind": Kind.FIRING,
        "severity": severity,
        "zone": zones[severity],
        "summary": f"{alert} is busy.",
        "labels": labels,
        "at": 0.0,
        "since": 0.0,
    }
    return Notice(**{**given, **changes})
