"""What is told of who is let in: refusals by reason, and certificates that were read anew."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter


class AccessTelemetry:
    """The counters of one process; each value of a label is there from the start, at 0."""

    def __init__(self, registry: CollectorRegistry, reasons: Iterable[str]) -> None:
        self.failures = Counter(
            "headroom_auth_failures",
            "Requests that were not let in: without, or with wrong, credentials, or with too small a role.",
            ["reason"],
            registry=registry,
        )
        self.certificates = Counter(
            "headroom_tls_reloads",
            "Changed certificates: taken into use (done), or of no use, so that the old one stays (refused).",
            ["outcome"],
            registry=registry,
        )
        for reason in reasons:
            self.failures.labels(reason)
        for outcome in ("done", "refused"):
            self.certificates.labels(outcome)
