"""Quotas that no declared signal watches: quotas with a usage metric, and quotas whose resources are counted.

A scan reads the lists and counts that are due, as far as the budget of calls allows, and yields the series of
all known quotas.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

from botocore.exceptions import PaginationError

from collectors.base import Aws, Collector, Metric, Observed, Resource
from collectors.expression import ExpressionError
from collectors.quotas import ACTIONS, PAGE_SIZE, QUOTAS_SERVICE, RATES
from collectors.response_members import Members, is_list, is_text, members_of
from collectors.service_quotas.account_service_codes import AccountServiceCodes
from collectors.service_quotas.call_budget import BudgetedCalls
from collectors.service_quotas.count_file import HOME_REGION, read_counts
from collectors.service_quotas.count_series import counted_series
from collectors.service_quotas.counting import Count, CountGroup, count, group_counts
from collectors.service_quotas.known_quotas import (
    LIST_INTERVAL,
    NEAR_SHARE,
    REPORT_INTERVAL,
    RETRY_INTERVAL,
    KnownQuotas,
    LastCounts,
    NumberedGroup,
)
from collectors.service_quotas.quota_list import ListedQuota, QuotaKey, list_quotas
from collectors.service_quotas.usage_series import (
    CALLS,
    LEVEL_PERIOD,
    RESOURCES,
    THROTTLED,
    NameAndDimensions,
    usage_series,
)
from collectors.service_quotas.utilization import REPORT_ACTIONS, ReportedQuota, read_report
from collectors.usage import USAGE_NAMESPACE
from rules.signals import Quota

# The members of items in lists that are read.
METRIC: Members = {"MetricName": is_text, "Dimensions": is_list}
DIMENSION: Members = {"Name": is_text, "Value": is_text}
SERVICE: Members = {"ServiceCode": is_text}
# The names by which `KnownQuotas` records further reads; it records a list of quotas by its service code.
USAGE_METRICS, SERVICES, REPORT = "metrics of usage", "service codes", "report of utilization"


_reading_counts = Lock()


def count_groups() -> tuple[CountGroup, ...]:
    """Return the groups of all counts. The file is large: the first call takes a tenth of a second."""
    with _reading_counts:  # threads that call meanwhile wait for the first
        return _count_groups()


@cache
def _count_groups() -> tuple[CountGroup, ...]:
    return tuple(group_counts(read_counts()))


async def quotas(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of quotas in use, as far as the budget of calls has allowed to read them.

    Raises an ExceptionGroup at the end: a read that fails prevents no other read.
    """
    await asyncio.to_thread(count_groups)
    known_quotas, errors = aws.state(KnownQuotas), list[Exception]()
    is_first = not known_quotas.lists
    known_quotas.budget.refill(aws.now)
    reading = _Reading(aws, known_quotas, BudgetedCalls(aws, known_quotas.budget))
    for read in (
        reading.read_usage_metrics,
        reading.read_service_codes,
        reading.read_lists,
        reading.count_resources,
    ):
        try:
            await read()
        except Exception as error:
            errors.append(error)
    for observed in reading.series():
        yield observed
    if not is_first:  # later scans only: in the first, many quotas do not have their own series yet
        await reading.read_report()
    if errors:
        raise ExceptionGroup("quotas", errors)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One scan, which spends the calls that the budget has left."""

    aws: Aws
    known_quotas: KnownQuotas
    calls: BudgetedCalls

    async def read_usage_metrics(self) -> None:
        """Read the list of usage metrics."""
        if self._is_due(USAGE_METRICS):
            metrics = self.calls.list_items("cloudwatch", "ListMetrics", "Metrics", Namespace=USAGE_NAMESPACE)
            self.known_quotas.published_metrics = frozenset([_metric_id(metric) async for metric in metrics])
            self.known_quotas.record_read(USAGE_METRICS, self.aws.now)

    async def read_service_codes(self) -> None:
        """Read all service codes, if usage metrics of resources show that more services may be in use."""
        has_resources = any(name != CALLS for name, _ in self.known_quotas.published_metrics)
        if has_resources and self._is_due(SERVICES):
            services = self.calls.list_items(
                "service-quotas", "ListServices", "Services", MaxResults=PAGE_SIZE
            )
            codes = [members_of(service, SERVICE).get("ServiceCode") async for service in services]
            self.known_quotas.service_codes = tuple(filter(None, codes))
            self.known_quotas.record_read(SERVICES, self.aws.now)

    async def read_lists(self) -> None:
        """Read the quotas of the service codes that are due; services in use come before the others."""
        for code in self.aws.quota_services_with_approvals:
            self.known_quotas.hasten(code, self.aws.now)
        account, in_use = self.aws.account_state(AccountServiceCodes), self.aws.quota_services_in_use
        self.known_quotas.in_use = frozenset(
            in_use | account.with_global_quotas if self.aws.is_global else in_use
        )
        others = filter(self.aws.reads_quotas_of, self.known_quotas.service_codes)
        codes = dict.fromkeys((*sorted(self.known_quotas.in_use), *others))
        due = self.known_quotas.budget.affordable(filter(self._is_due, codes))
        async for code, listed in self.aws.map(due, self._list_quotas, _service_resource):
            self.known_quotas.lists[code] = listed
        if not self.aws.is_global:
            account.record(self.aws.region, in_use, frozenset(self._codes_with_global_quotas(in_use)))

    def _codes_with_global_quotas(self, in_use: Set[str]) -> Iterator[str]:
        """Yield the service codes with quotas that are the same in all regions or counted in one region."""
        for code, listed in self.known_quotas.lists.items():
            if any(quota.is_global for quota in listed):
                yield code
        if in_use:
            yield from (
                group.service
                for group in count_groups()
                if group.first_declaration.region and group.service in in_use
            )

    async def _list_quotas(self, service_code: str) -> tuple[ListedQuota, ...]:
        self.known_quotas.record_read(service_code, self.aws.now, RETRY_INTERVAL)
        listed: dict[QuotaKey, ListedQuota] = {}
        try:
            await list_quotas(self.calls, service_code, listed)
        except PaginationError:  # the pages do not end; the quotas of the pages so far are used
            self.known_quotas.lists[service_code] = tuple(listed.values())
            raise
        is_complete = not any(quota.is_missing_for_now for quota in listed.values())
        self.known_quotas.record_read(
            service_code, self.aws.now, LIST_INTERVAL if is_complete else RETRY_INTERVAL
        )
        return tuple(self.known_quotas.with_last_values(service_code, listed.values()))

    async def count_resources(self) -> None:
        """Count the resources of services in use whose counts are due."""
        in_use = self.known_quotas.in_use
        if in_use:
            numbered_groups = enumerate(count_groups())
            groups = [(number, group) for number, group in numbered_groups if group.service in in_use]
            due = self.known_quotas.due_groups(filter(self._is_counted_here, groups), self.aws.now)
            for number, group in self.known_quotas.budget.affordable(due):
                await self._count(self.known_quotas.last_counts.setdefault(number, LastCounts()), group)
            self.known_quotas.uncounted = sum(
                len(group.counts) for number, group in due if number not in self.known_quotas.last_counts
            )

    async def _count(self, last: LastCounts, group: CountGroup) -> None:
        """Count the resources of a group. Errors are stored, not raised: they affect no other group."""
        values = self.known_quotas.values_of(group.service, group.counts.keys())
        region = group.first_declaration.region
        calls = self.calls if region in (None, HOME_REGION, self.aws.region) else self._calls_in(region)
        try:
            results = await count(calls, group)
        except Exception as error:  # an error of AWS, or an unexpected response
            last.fail(dict.fromkeys(group.counts, error), self.aws.now)
        else:
            counts = {quota: result for quota, result in results.items() if isinstance(result, Count)}
            failures = {
                quota: result for quota, result in results.items() if isinstance(result, ExpressionError)
            }
            series = (
                observed
                for quota, listed in values.items()
                for observed in counted_series(group.counts[quota], listed, counts.get(quota))
            )
            last.succeed(counts, failures, any(map(_is_near, series)), self.aws.now)

    async def read_report(self) -> None:
        """Read AWS's report of utilization. A failure affects nothing else."""
        if self._is_due(REPORT) and self.known_quotas.budget.calls_left > 0:
            self.known_quotas.record_read(REPORT, self.aws.now, REPORT_INTERVAL)
            try:
                self.known_quotas.report = await read_report(self.calls)
            except Exception as error:  # an error of AWS, or an unexpected response
                self.known_quotas.report_failure = error
            else:
                self.known_quotas.report_failure = None

    def _is_due(self, name: str) -> bool:
        return self.known_quotas.is_due(name, self.aws.now)

    def _calls_in(self, region: str) -> BudgetedCalls:
        return BudgetedCalls(self.aws.in_region(region), self.known_quotas.budget)

    def _is_counted_here(self, numbered: NumberedGroup) -> bool:
        """Return whether a group is counted in this region."""
        _, group = numbered
        if group.first_declaration.region:
            return self.aws.is_global
        listed_quotas = self.known_quotas.lists.get(group.service, ())
        return any(self._is_here(listed) for listed in listed_quotas if listed.quota in group.counts)

    def _is_here(self, listed: ListedQuota) -> bool:
        """Return whether a quota is watched in this cell: global quotas in the cell of global services."""
        if not self.aws.is_global:
            return not listed.is_global
        return listed.is_global or self.aws.reads_quotas_of(listed.quota.service)

    def series(self) -> Iterator[Observed]:
        """Yield the series of the known quotas that no declared signal watches.

        A quota with a usage metric has no series of its count or of AWS's report.
        """
        watched = {*self.aws.declared_quotas}
        all_listed = {listed.key: listed for listed in self.known_quotas.quotas}
        with_series = set[Quota]()
        for (quota, arn), listed in all_listed.items():
            account_quota = all_listed.get((quota, ""))
            has_own_metric = not (arn and account_quota and account_quota.usage_metric == listed.usage_metric)
            if quota in watched or not self._is_here(listed) or not has_own_metric:
                continue
            if observed := usage_series(listed, self.known_quotas.published_metrics):
                with_series.add(quota)
                yield observed
        for quota, observed in self._counted_series(watched | with_series):
            with_series.add(quota)
            yield observed
        yield from self._reported_series(all_listed, watched | with_series)

    def _counted_series(self, watched: Set[Quota]) -> Iterator[tuple[Quota, Observed]]:
        """Yield the series of the counts of quotas that are not in `watched`."""
        for number, last in self.known_quotas.last_counts.items():
            group = count_groups()[number]
            values = self.known_quotas.values_of(group.service, group.counts.keys() - watched)
            for quota, listed in values.items():
                for observed in counted_series(group.counts[quota], listed, last.counts.get(quota)):
                    yield quota, observed

    def _reported_series(
        self, listed: Mapping[QuotaKey, ListedQuota], watched: Set[Quota]
    ) -> Iterator[Observed]:
        """Yield the series of quotas that are not in `watched`, by AWS's report of utilization."""
        for quota, reported in self.known_quotas.reported_quotas(self.aws.now).items():
            account_quota = listed.get((quota, ""))
            is_here = self._is_here(account_quota) if account_quota else not self.aws.is_global
            if quota not in watched and is_here:
                yield reported_series(quota, account_quota.name if account_quota else reported.name, reported)


def reported_series(quota: Quota, name: str, reported: ReportedQuota) -> Observed:
    """Return the series of a quota by AWS's report of utilization. In percent: the report has no unit."""
    return Observed(
        signal="reported",
        resource=Resource(
            "quota", (quota.service, quota.code), (quota.service, name), parent_kinds=("service",)
        ),
        usage=100 * reported.utilization,
        limit=100.0,
    )


def _is_near(observed: Observed) -> bool:
    """Return whether a count has reached NEAR_SHARE of its limit; a negative limit means no limit."""
    usage, limit = observed.usage, observed.limit
    return isinstance(usage, float) and limit is not None and limit >= 0 and usage >= NEAR_SHARE * limit


def _metric_id(described: Any) -> NameAndDimensions:
    """Return the name and the dimensions of a metric; empty texts for members that AWS does not return."""
    metric = members_of(described, METRIC)
    dimensions = [members_of(dimension, DIMENSION) for dimension in metric.get("Dimensions", ())]
    pairs = sorted((dimension.get("Name", ""), dimension.get("Value", "")) for dimension in dimensions)
    return metric.get("MetricName", ""), tuple(pairs)


def _service_resource(service_code: str) -> Resource:
    return Resource("service", (service_code,))


COLLECTOR = Collector(
    service=QUOTAS_SERVICE,
    scans=(quotas,),
    metrics=(
        Metric(USAGE_NAMESPACE, CALLS, "Sum", zero_when_absent=True),
        Metric(USAGE_NAMESPACE, THROTTLED, "Sum", zero_when_absent=True),
        Metric("AWS/Logs", THROTTLED, "Sum", zero_when_absent=True),
        Metric(USAGE_NAMESPACE, RESOURCES, "Maximum", period=LEVEL_PERIOD),
    ),
    iam_actions=(*ACTIONS, *REPORT_ACTIONS, "servicequotas:ListServices", "cloudwatch:ListMetrics"),
    call_rates=RATES,
    publication_delay=6,
    reads_last=True,
)
