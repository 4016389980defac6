"""One reading of the quotas of a service code: from lists, and by single calls for quotas in no list."""

from collections.abc import Set
from dataclasses import dataclass, field, replace
from functools import partial

from collectors.quotas import (
    LIST_OPERATIONS,
    NO_SUCH_QUOTA,
    QuotaContext,
    QuotaDescription,
    QuotaValues,
    failure_resource,
    list_values,
    read_value,
)
from monitor.aws.cell import Cell
from monitor.aws.failure import Failure, error_code, error_message, failure_from
from monitor.aws.failure_class import DENIAL_CLASSES, classify
from monitor.aws.scan import Scan
from rules.limits import LimitSource
from rules.signals import Quota

# How many of the quotas that are in no list are requested first. If AWS has none of these, or denies them, no
# others are requested: AWS lists all quotas that it has, and if it denies one quota, it denies all.
# https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListAWSDefaultServiceQuotas.html
MAX_PROBES = 2


@dataclass(slots=True)
class QuotaReading:
    """The result of one reading of a service code: each quota has values or a failure, or is absent.

    single_call_quotas: quotas that are read by a call each, as their entry in a list has no value, or the
    list no longer has an entry for them. unlisted: quotas in no list, or in a list that is denied. absent:
    quotas that AWS does not have in the region. contexts: of the quotas that apply to each resource.
    resource_values: by quota, the values that apply to single resources, by ARN; a quota is missing if its
    values could not be read. descriptions: AWS's descriptions of all quotas of the service code; None unless
    requested. list_failure: why the quotas could not be listed.
    """

    service_code: str
    values: dict[Quota, QuotaValues] = field(default_factory=dict)
    failures: dict[Quota, Failure] = field(default_factory=dict)
    single_call_quotas: set[Quota] = field(default_factory=set)
    unlisted: set[Quota] = field(default_factory=set)
    absent: set[Quota] = field(default_factory=set)
    contexts: dict[Quota, QuotaContext] = field(default_factory=dict)
    resource_values: dict[Quota, dict[str, float]] = field(default_factory=dict)
    descriptions: list[QuotaDescription] | None = None
    list_failure: Failure | None = None


async def read_defaults(cell: Cell, service_code: str, quotas: Set[Quota]) -> QuotaReading:
    """Read AWS's default quotas of a service code, which are the same for all accounts of a region.

    The result contains the descriptions of all quotas of the service code.
    """
    reading, scan = QuotaReading(service_code, descriptions=[]), Scan(cell)
    await _read_list(scan, LimitSource.DEFAULT, quotas, reading)
    for quota in reading.single_call_quotas | reading.unlisted:  # the list is denied, or has no value
        sentence = f"the default of {quota.code} cannot be listed"
        reading.failures[quota] = Failure(LIST_OPERATIONS[LimitSource.DEFAULT], "", "AccessDenied", sentence)
    return reading


async def read_quotas(cell: Cell, service_code: str, quotas: Set[Quota], applied: Set[Quota]) -> QuotaReading:
    """Read quotas of a service code; a failure affects only the quotas that it concerns.

    applied: quotas that had an applied value before. If the list of applied values no longer contains such a
    quota, a single call checks it before its default counts as the limit.
    """
    reading, scan = QuotaReading(service_code), Scan(cell)
    without_applied = await _read_list(scan, LimitSource.APPLIED, quotas, reading)
    reading.single_call_quotas |= without_applied & applied
    if other_quotas := without_applied - applied:
        reading.unlisted |= await _read_list(scan, LimitSource.DEFAULT, other_quotas, reading)
    await _read_resource_values(scan, reading)
    await _read_singly(scan, reading, reading.single_call_quotas)
    await _read_unlisted(scan, reading)
    return reading


async def _read_list(
    scan: Scan, source: LimitSource, quotas: Set[Quota], reading: QuotaReading
) -> set[Quota]:
    """Read the values of quotas from a list, and return the quotas that are not in the list.

    If the list is denied, its quotas are read by single calls, which an older policy may still allow. After
    any other error the quotas fail: more calls could do harm, and no default must replace an applied value.
    """
    missing = {quota.code: quota for quota in quotas}
    try:
        async for listed in list_values(scan, source, reading.service_code):
            if reading.descriptions is not None:
                reading.descriptions.append(listed.description)
            if quota := missing.pop(listed.code, None):
                if listed.value is None:
                    reading.single_call_quotas.add(quota)
                else:
                    reading.values[quota] = {source: listed.value}
                if listed.context.per_resource:
                    reading.contexts[quota] = listed.context
    except Exception as error:  # an error of AWS, or an unexpected response
        if error_code(error) == NO_SUCH_QUOTA:
            return {*missing.values()}
        reading.list_failure = failure_from(error, LIST_OPERATIONS[source])
        if classify(error_code(error), error_message(error)) in DENIAL_CLASSES:
            reading.unlisted |= {*missing.values()}
        else:
            for quota in missing.values():
                reading.failures[quota] = failure_from(
                    error, LIST_OPERATIONS[source], failure_resource(quota)
                )
        return set()
    return {*missing.values()}


async def _read_resource_values(scan: Scan, reading: QuotaReading) -> None:
    """Read the values that apply to single resources, for the quotas that apply to each resource.

    The same list contains the applied value for all other resources. After a failure, only the values of this
    list are missing.
    """
    if not reading.contexts:
        return
    quotas = {quota.code: quota for quota in reading.contexts}
    values_by_arn: dict[Quota, dict[str, float]] = {quota: {} for quota in reading.contexts}
    values = list_values(scan, LimitSource.APPLIED, reading.service_code, resource_level=True)
    try:
        async for listed in values:
            quota = quotas.get(listed.code)
            if quota is None or listed.value is None:
                continue
            if listed.context.arn:
                values_by_arn[quota][listed.context.arn] = listed.value
            else:
                reading.values[quota] = {LimitSource.APPLIED: listed.value}
                reading.single_call_quotas.discard(quota)
    except Exception as error:  # an error of AWS, or an unexpected response
        if error_code(error) != NO_SUCH_QUOTA:
            operation = LIST_OPERATIONS[LimitSource.APPLIED]
            for quota in reading.contexts:
                reading.failures[quota] = failure_from(error, operation, failure_resource(quota))
            return
    reading.resource_values = values_by_arn


async def _read_unlisted(scan: Scan, reading: QuotaReading) -> None:
    """Read the quotas in no list: first MAX_PROBES of them, and the others if AWS has one of the first."""
    ordered = sorted(reading.unlisted, key=lambda quota: quota.code)
    probes, other_quotas = ordered[:MAX_PROBES], ordered[MAX_PROBES:]
    await _read_singly(scan, reading, {*probes})
    failures = [reading.failures[quota] for quota in probes if quota in reading.failures]
    if reading.absent.issuperset(probes):
        reading.absent.update(other_quotas)
    elif len(failures) == len(probes) and {failure.failure_class for failure in failures} <= DENIAL_CLASSES:
        reading.failures |= {quota: _failure_for(quota, failures[0]) for quota in other_quotas}
    else:
        await _read_singly(scan, reading, {*other_quotas})


def _failure_for(quota: Quota, failure: Failure) -> Failure:
    """Return a copy of a failure that is about this quota."""
    resource = failure_resource(quota)
    return replace(failure, resource=resource.display_name, resource_path=resource.path)


async def _read_singly(scan: Scan, reading: QuotaReading, quotas: Set[Quota]) -> None:
    """Read quotas by one call each."""
    count_before = len(scan.failures)
    async for quota, values in scan.map(quotas, partial(read_value, scan), failure_resource):
        reading.values[quota] = values
    failures = {failure.resource_path: failure for failure in scan.failures[count_before:]}
    for quota in quotas - reading.values.keys():
        failure = failures[failure_resource(quota).path]
        if failure.code == NO_SUCH_QUOTA:
            reading.absent.add(quota)
        else:
            reading.failures[quota] = failure
