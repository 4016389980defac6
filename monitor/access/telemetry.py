"""The metrics of access control: denied requests by reason, and reloads of the certificate."""

from prometheus_client import CollectorRegistry, Counter

DENIAL_REASONS = (
    "missing",
    "malformed",
    "scheme",
    "token",
    "expired",
    "password",
    "busy",
    "proxy",
    "role",
    "host",
)


class AccessTelemetry:
    """The counters of access control. Each value of a label is exported as 0 from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.failures = Counter(
            "headroom_auth_failures",
            "Denied requests: credentials are missing or wrong, or lack the required role.",
            ["reason"],
            registry=registry,
        )
        self.certificate_reloads = Counter(
            "headroom_tls_reloads",
            "Reloads of a changed certificate: now in use (done), or unusable, so that the old one stays in "
            "use (refused).",
            ["outcome"],
            registry=registry,
        )
        for reason in DENIAL_REASONS:
            self.failures.labels(reason)
        for outcome in ("done", "refused"):
            self.certificate_reloads.labels(outcome)
