"""Makes the collector of a declared service: its scans, metrics, IAM actions and call rates."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from collectors.base import Collector
from collectors.declaration import Declaration
from collectors.declared_scan import DeclaredScan
from collectors.iam_actions import iam_action
from collectors.lazy_collector import LazyCollector
from collectors.reduced_declaration import reduce_declaration
from collectors.scan_groups import scan_groups


def collector_of(declaration: Declaration) -> Collector:
    """Return the collector of a declared service. Its scans are made at their first use."""
    calls = [call for _, call in declaration.calls() if call.call]
    operations = {call.call for call in calls if call.call}
    fields = {
        "service": declaration.service,
        "metrics": tuple(declaration.metric(key) for key in declaration.metrics),
        "iam_actions": tuple(sorted({iam_action(*operation) for operation in operations})),
        "call_rates": {":".join(call.call): call.rate for call in calls if call.call and call.rate},
        "publication_delay": declaration.delay,
        "signals": frozenset(declaration.signals),
        "scope": declaration.scope,
        "region": declaration.region,
        "make_reduced": lambda signals: collector_of(reduce_declaration(declaration, signals)),
        "declaration": declaration,
        "arns": {kind: resource.arn for kind, resource in declaration.resources.items() if resource.arn},
        "reads_last": False,
    }
    return LazyCollector(partial(_with_scans, declaration, fields), **fields)


def _with_scans(declaration: Declaration, fields: Mapping[str, Any]) -> Collector:
    scans = tuple(DeclaredScan(declaration, group) for group in scan_groups(declaration))
    return Collector(scans=scans, **fields)
