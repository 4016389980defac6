"""The series of counts: of all resources, or of the parent or item that has most, against their quota."""

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

    listed: the quota, after the values that AWS applies to single resources. A parent or item with a value of
    its own is a series of its own; the largest of the others is held against the quota.
    """
    if count is None:
        return
    number, others = count.number, {**count.owners}
    for one in sorted(listed, key=lambda one: one.context.arn, reverse=True):
        if not one.context.arn:
            yield from _series(declaration, one, number, max(others, key=others.__getitem__, default=()))
            continue
        for owner in [owner for owner in others if _is_named_by(owner[-1], one.context.arn)]:
            yield from _series(declaration, one, others.pop(owner), ())
            number = max(others.values(), default=0.0)


def _is_named_by(identity: str, arn: str) -> bool:
    return identity != "" and (arn == identity or arn.endswith((f"/{identity}", f":{identity}")))


def _series(
    declaration: CountDeclaration, listed: ListedQuota, number: float, largest: tuple[str, ...]
) -> Iterator[Observed]:
    """Yield a series; none without a limit, and none of a quota of 0 of which nothing is used."""
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
        largest="/".join(filter(None, largest)) if number else "",
    )
