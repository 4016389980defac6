"""The series of counted quotas: their usage is the number of all resources, or that of the largest owner."""

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

    listed: the account's value of the quota, and the values that AWS applies to single resources. An owner is
    the parent of the counted items, or the item whose entries are counted. An owner with a value of its own
    has a series of its own; of all other owners, the largest is compared with the account's value.
    """
    if count is None:
        return
    number, owners = count.number, {**count.owners}
    resources_before_account = sorted(listed, key=lambda quota: quota.context.arn, reverse=True)
    for quota in resources_before_account:
        if not quota.context.arn:
            yield from _series(declaration, quota, number, max(owners, key=owners.__getitem__, default=()))
            continue
        for owner in [owner for owner in owners if _is_named_by(owner[-1], quota.context.arn)]:
            yield from _series(declaration, quota, owners.pop(owner), ())
            number = max(owners.values(), default=0.0)


def _is_named_by(identity: str, arn: str) -> bool:
    return identity != "" and (arn == identity or arn.endswith((f"/{identity}", f":{identity}")))


def _series(
    declaration: CountDeclaration, quota: ListedQuota, number: float, largest_owner: tuple[str, ...]
) -> Iterator[Observed]:
    """Yield one series; none without a limit, and none for an unused quota of 0."""
    if quota.value is None or not (quota.value or number):
        return
    yield Observed(
        signal="unverified_count" if declaration.unverified else "count",
        resource=quota_resource(quota),
        usage=number,
        limit=quota.value,
        limit_source=quota.source,
        quota=quota.quota,
        quota_arn=quota.context.arn,
        largest_resource="/".join(filter(None, largest_owner)) if number else "",
    )
