"""A limit with its source, and which of several sources is in force."""

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


QUOTA_SOURCES = (LimitSource.APPLIED, LimitSource.DEFAULT)  # of limits read from Service Quotas
PUBLISHED_ONLY = math.nan  # a single object, so that it equals itself within a dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in the signal's unit, with its source and when it was read (epoch seconds).

    value: PUBLISHED_ONLY where it is known of each minute in which CloudWatch publishes it, and of no other.
    `read_at` is not compared.
    """

    value: float
    source: LimitSource
    read_at: float = field(compare=False)


def effective_limit(candidates: Mapping[LimitSource, float | None], read_at: float) -> Limit | None:
    """Return the limit in force: that of the first source, in order of precedence, with a usable value.

    None, zero, negative and infinite values are unusable, as utilization divides by the limit. Returns None
    when no source has a usable value, and where Service Quotas has an unusable one: 0 where AWS has granted
    nothing, or no end. What is documented for other accounts does not hold for this one then.
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
