"""Makes the collector of a declared service: its scans, metrics, IAM actions and call rates."""

from collectors.base import Collector
from collectors.declaration import Declaration
from collectors.declared_scan import DeclaredScan
from collectors.iam_actions import iam_action
from collectors.reduced_declaration import reduced
from collectors.scan_groups import scan_groups


def collector_of(declaration: Declaration) -> Collector:
    """Return the collector of a declared service."""
    calls = [call for _, call in declaration.calls() if call.call]
    operations = {call.call for call in calls if call.call}
    return Collector(
        service=declaration.service,
        scans=tuple(DeclaredScan(declaration, group) for group in scan_groups(declaration)),
        metrics=tuple(declaration.metric(key) for key in declaration.metrics),
        iam_actions=tuple(sorted({iam_action(*operation) for operation in operations})),
        call_rates={":".join(call.call): call.rate for call in calls if call.call and call.rate},
        publication_delay=declaration.delay,
        signals=frozenset(declaration.signals),
        scope=declaration.scope,
        region=declaration.region,
        reduced=lambda signals: collector_of(reduced(declaration, signals)),
        declaration=declaration,
        arns={kind: one.arn for kind, one in declaration.resources.items() if one.arn},
    )
