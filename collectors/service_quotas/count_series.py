"""The series of counted quotas: the number of all resources, or of the largest parent or item."""

from collections.abc import Iterable, Iterator

from collectors.base import Observed
from collectors.service_quotas.count_file import CountDeclaration
from collectors.service_quotas.counting import Count
from collectors.service_quotas.quota_list import ListedQuota
from collectors.service_quotas.usage_series import quota_resource


def counted_series(
    declaration: CountDeclaration, listed: Iterable[ListedQuota], count: Count | None
) -> Iterator[Observed]:
    """Yield the series of a count; none while either the count or its limit is unknown.

    listed: the account's value of the quota, and the values that AWS applies to single resources. A parent or
    item with its own value has its own series; the largest of the others is compared with the account's.
    """
    if count is None:
        return
    number, others = count.number, {**count.owners}
    account_last = sorted(listed, key=lambda quota: quota.context.arn, reverse=True)
    for quota in account_last:
        if not quota.context.arn:
            yield from _series(declaration, quota, number, max(others, key=others.__getitem__, default=()))
            continue
        for owner in [owner for owner in others if _is_named_by(owner[-1], quota.context.arn)]:
            yield from _series(declaration, quota, others.pop(owner), ())
            number = max(others.values(), default=0.0)


def _is_named_by(identity: str, arn: str) -> bool:
    return identity != "" and (arn == identity or arn.endswith((f"/{identity}", f":{identity}")))


def _series(
    declaration: CountDeclaration, listed: ListedQuota, number: float, largest: tuple[str, ...]
) -> Iterator[Observed]:
    """Yield one series; none without a limit, and none for an unused quota of 0."""
    if listed.value is None or not (listed.value or number):
        return
    yield Observed(
        signal="unverified_count" if declaration.unverified else "count",
        resource=quota_resource(listed),
        usage=number,
        limit=listed.value,
        limit_source=listed.source,
        quota=listed.quota,
        quota_arn=listed.context.arn,
        largest_resource="/".join(filter(None, largest)) if number else "",
    )
