"""Limits with their sources, and the limit in force if several sources have a limit."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class LimitSource(StrEnum):
    """The source of a limit, in order of precedence."""

    OVERRIDE = "override"  # the configuration
    METRIC = "metric"  # CloudWatch, minute by minute; the API where a minute has no point
    API = "api"  # the API of the resource or of the account
    APPLIED = "quota_applied"  # Service Quotas, the applied value
    DEFAULT = "quota_default"  # Service Quotas, the default of a new account
    DOCUMENTED = "documented"  # the catalogue


QUOTA_SOURCES = (LimitSource.APPLIED, LimitSource.DEFAULT)  # the sources that are read from Service Quotas
PUBLISHED_ONLY = math.nan  # never another NaN: in compared dataclasses, a NaN equals only the same object


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in the signal's unit, with its source and when it was read (epoch seconds).

    value: PUBLISHED_ONLY if the limit is known only for the minutes in which CloudWatch publishes it.
    `read_at` is not compared.
    """

    value: float
    source: LimitSource
    read_at: float = field(compare=False)


def effective_limit(candidates: Mapping[LimitSource, float | None], read_at: float) -> Limit | None:
    """Return the limit of the first source, in order of precedence, that has a usable value.

    candidates: the value of each source. None, NaN, zero, negative and infinite values are unusable, as
    utilization divides by the limit. Returns None if no source has a usable value. Also returns None if
    Service Quotas reports zero (AWS has granted nothing) or infinity (there is no limit) and no source of
    higher precedence has a usable value: the documented value of other accounts then does not hold for this
    one.
    """
    for source in LimitSource:
        value = candidates.get(source)
        if value is None or math.isnan(value):
            continue
        if 0 < value < math.inf:
            return Limit(float(value), source, read_at)
        if source in QUOTA_SOURCES:
            return None
    return None
