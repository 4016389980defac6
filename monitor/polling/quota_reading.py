"""One reading of the quotas of a service code: in bulk by its lists, and singly where the lists do not do."""

from collections.abc import Set
from dataclasses import dataclass, field, replace
from functools import partial

from collectors.quotas import (
    LIST_OPERATIONS,
    NO_SUCH_QUOTA,
    Description,
    QuotaContext,
    QuotaValues,
    list_values,
    quota_resource,
    read_value,
)
from monitor.aws.cell import Cell
from monitor.aws.failure import Failure, error_code, error_message, failure_from
from monitor.aws.failure_class import DENIAL_CLASSES, classify
from monitor.aws.scan import Scan
from rules.limits import LimitSource
from rules.signals import Quota

# Of quotas that no list tells, as many are requested singly before the others: AWS lists all that it has, and
# where one is denied, so are all.
# https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListAWSDefaultServiceQuotas.html
MAX_PROBES = 2


@dataclass(slots=True)
class QuotaReading:
    """The quotas of one service code as they were read at once: each has values or a failure, or is absent.

    singly: the quotas of which a list has no value, to be read by a call each. unlisted: those that are in no
    list, or in one that is denied. absent: those that AWS does not have in the region. contexts: of those
    that hold for each resource. resource_values: the values of those resources that have one of their own, by
    ARN; without the quotas of which they could not be read. descriptions: all quotas of the service code as
    AWS lists them, where they are kept; list_failure: why they could not be listed.
    """

    service_code: str
    values: dict[Quota, QuotaValues] = field(default_factory=dict)
    failures: dict[Quota, Failure] = field(default_factory=dict)
    singly: set[Quota] = field(default_factory=set)
    unlisted: set[Quota] = field(default_factory=set)
    absent: set[Quota] = field(default_factory=set)
    contexts: dict[Quota, QuotaContext] = field(default_factory=dict)
    resource_values: dict[Quota, dict[str, float]] = field(default_factory=dict)
    descriptions: list[Description] | None = None
    list_failure: Failure | None = None


async def read_defaults(cell: Cell, service_code: str, quotas: Set[Quota]) -> QuotaReading:
    """Read AWS's defaults of a service code, which are the same for all accounts of a region.

    The descriptions of all of its quotas are kept.
    """
    reading, scan = QuotaReading(service_code, descriptions=[]), Scan(cell)
    await _read_list(scan, LimitSource.DEFAULT, quotas, reading)
    for quota in reading.singly | reading.unlisted:  # the list is denied, or has no value
        sentence = f"the default of {quota.code} cannot be listed"
        reading.failures[quota] = Failure(LIST_OPERATIONS[LimitSource.DEFAULT], "", "AccessDenied", sentence)
    return reading


async def read_quotas(cell: Cell, service_code: str, quotas: Set[Quota], applied: Set[Quota]) -> QuotaReading:
    """Read quotas of a service code; a failure affects only the quotas that it concerns.

    applied: those that had an applied value before. If the list of applied values has one of them no more, it
    is requested singly before it is taken to be back at its default.
    """
    reading, scan = QuotaReading(service_code), Scan(cell)
    without_applied = await _read_list(scan, LimitSource.APPLIED, quotas, reading)
    reading.singly |= without_applied & applied
    if others := without_applied - applied:
        reading.unlisted |= await _read_list(scan, LimitSource.DEFAULT, others, reading)
    await _read_resource_values(scan, reading)
    await _read_singly(scan, reading, reading.singly)
    await _read_unlisted(scan, reading)
    return reading


async def _read_list(
    scan: Scan, source: LimitSource, quotas: Set[Quota], reading: QuotaReading
) -> set[Quota]:
    """Read the values of quotas from a list, and return the quotas that are not in it.

    Where the list is denied, its quotas are to be read singly, as an older policy may allow only that. After
    another error more calls would make it worse, and a default would pass for the applied value.
    """
    missing = {quota.code: quota for quota in quotas}
    try:
        async for listed in list_values(scan, source, reading.service_code):
            if reading.descriptions is not None:
                reading.descriptions.append(listed.description)
            if quota := missing.pop(listed.code, None):
                if listed.value is None:
                    reading.singly.add(quota)
                else:
                    reading.values[quota] = {source: listed.value}
                if listed.context.per_resource:
                    reading.contexts[quota] = listed.context
    except Exception as error:  # of AWS or of an unexpected response
        if error_code(error) == NO_SUCH_QUOTA:
            return {*missing.values()}
        reading.list_failure = failure_from(error, LIST_OPERATIONS[source])
        if classify(error_code(error), error_message(error)) in DENIAL_CLASSES:
            reading.unlisted |= {*missing.values()}
        else:
            for quota in missing.values():
                reading.failures[quota] = failure_from(error, LIST_OPERATIONS[source], quota_resource(quota))
        return set()
    return {*missing.values()}


async def _read_resource_values(scan: Scan, reading: QuotaReading) -> None:
    """Read the values that single resources have of the quotas that hold for each resource.

    What is applied to all other resources is in this list, too. After a failure, these values alone are
    missing.
    """
    if not reading.contexts:
        return
    quotas = {quota.code: quota for quota in reading.contexts}
    found: dict[Quota, dict[str, float]] = {quota: {} for quota in reading.contexts}
    values = list_values(scan, LimitSource.APPLIED, reading.service_code, resource_level=True)
    try:
        async for listed in values:
            quota = quotas.get(listed.code)
            if quota is None or listed.value is None:
                continue
            if listed.context.arn:
                found[quota][listed.context.arn] = listed.value
            else:
                reading.values[quota] = {LimitSource.APPLIED: listed.value}
                reading.singly.discard(quota)
    except Exception as error:  # of AWS or of an unexpected response
        if error_code(error) != NO_SUCH_QUOTA:
            operation = LIST_OPERATIONS[LimitSource.APPLIED]
            for quota in reading.contexts:
                reading.failures[quota] = failure_from(error, operation, quota_resource(quota))
            return
    reading.resource_values = found


async def _read_unlisted(scan: Scan, reading: QuotaReading) -> None:
    """Read the quotas that no list tells: the first ones, and the others if AWS tells any of these."""
    ordered = sorted(reading.unlisted, key=lambda quota: quota.code)
    probes, others = ordered[:MAX_PROBES], ordered[MAX_PROBES:]
    await _read_singly(scan, reading, {*probes})
    failures = [reading.failures[quota] for quota in probes if quota in reading.failures]
    if reading.absent.issuperset(probes):
        reading.absent.update(others)
    elif len(failures) == len(probes) and all(one.failure_class in DENIAL_CLASSES for one in failures):
        reading.failures |= {quota: _about(quota, failures[0]) for quota in others}
    else:
        await _read_singly(scan, reading, {*others})


def _about(quota: Quota, failure: Failure) -> Failure:
    """Return the failure of a quota as that of another one."""
    resource = quota_resource(quota)
    return replace(failure, resource=resource.display_name, resource_path=resource.path)


async def _read_singly(scan: Scan, reading: QuotaReading, quotas: Set[Quota]) -> None:
    """Read quotas by a call each."""
    number = len(scan.failures)
    async for quota, values in scan.map(quotas, partial(read_value, scan), quota_resource):
        reading.values[quota] = values
    failures = {failure.resource_path: failure for failure in scan.failures[number:]}
    for quota in quotas - reading.values.keys():
        failure = failures[quota_resource(quota).path]
        if failure.code == NO_SUCH_QUOTA:
            reading.absent.add(quota)
        else:
            reading.failures[quota] = failure
