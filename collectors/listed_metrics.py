"""The metrics of a linked account, as ListMetrics returns them to a monitoring account; cached for an hour.

A monitoring account lists the metrics of the accounts that are linked to it:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, NamedTuple

from collectors.base import Aws, Dimensions, QualifiedName
from monitor.lib.errors import HeadroomError

LIST_INTERVAL = 3600.0  # seconds from one list of a namespace to the next
MAX_LISTED_METRICS = 50_000  # metrics of one namespace and account: a hundred pages
RECENTLY_ACTIVE = "PT3H"  # metrics with a point in the last three hours; the only value that AWS accepts

MetricNames = frozenset[QualifiedName]


class TooManyMetricsError(HeadroomError):
    """A namespace has more than MAX_LISTED_METRICS metrics."""


class ListedMetric(NamedTuple):
    """A metric with a point in the last three hours."""

    namespace: str
    name: str
    dimensions: Dimensions

    @property
    def qualified_name(self) -> QualifiedName:
        """The namespace and the name."""
        return self.namespace, self.name


@dataclass(slots=True)
class _CachedList:
    """The metrics of a namespace, and when they were listed, in epoch seconds."""

    metrics: frozenset[ListedMetric] = frozenset()
    listed_at: float | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class ListedMetrics:
    """The metrics of a linked account by namespace; see `collectors.base.Aws.state`."""

    def __init__(self) -> None:
        self._by_namespace: dict[str, _CachedList] = defaultdict(_CachedList)

    async def of(self, aws: Aws, namespace: str, names: MetricNames) -> frozenset[ListedMetric]:
        """Return the metrics of a namespace with a name in `names` and a point in the last three hours.

        names: the same in each call, because lists are cached. Raises TooManyMetricsError, and the errors of
        ListMetrics.
        """
        cached = self._by_namespace[namespace]
        async with cached.lock:
            if cached.listed_at is None or aws.now - cached.listed_at >= LIST_INTERVAL:
                cached.metrics, cached.listed_at = await _list(aws, namespace, names), aws.now
            return cached.metrics


async def _list(aws: Aws, namespace: str, names: MetricNames) -> frozenset[ListedMetric]:
    metrics, listed_count = set[ListedMetric](), 0
    pages = aws.paginate(
        "cloudwatch",
        "ListMetrics",
        Namespace=namespace,
        RecentlyActive=RECENTLY_ACTIVE,
        IncludeLinkedAccounts=True,
        OwningAccount=aws.account,
    )
    async for page in pages:
        listed_count += len(page.get("Metrics") or ())
        if listed_count > MAX_LISTED_METRICS:
            raise TooManyMetricsError(
                f"expected at most {MAX_LISTED_METRICS:,} metrics of {namespace}, found more"
            )
        metrics.update(metric for metric in _metrics(page, aws.account) if metric.qualified_name in names)
    return frozenset(metrics)


def _metrics(page: Mapping[str, Any], account: str) -> Iterator[ListedMetric]:
    """Yield the metrics of a page that the account owns."""
    metrics, owners = page.get("Metrics") or (), page.get("OwningAccounts") or repeat(account)
    for metric, owner in zip(metrics, owners, strict=False):
        if owner == account:
            pairs = sorted((item["Name"], item["Value"]) for item in metric.get("Dimensions") or ())
            yield ListedMetric(metric.get("Namespace", ""), metric.get("MetricName", ""), tuple(pairs))
