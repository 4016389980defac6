"""Digests of what inventories observe: a series whose digest is unchanged is not registered again."""

from array import array
from collections.abc import Hashable, Iterator
from dataclasses import fields
from operator import attrgetter

from collectors.base import Observed, Resource, Usage

NUMBER = "number"  # stands for any number that an API returned as a usage
CONFIRMED = {"usage", "limit_read_at"}  # fields that may differ, in part, in a series that is confirmed
MAPPINGS = ("tags", "throttled_by_cause")

_others = {one.name for one in fields(Observed)} - {*CONFIRMED, *MAPPINGS, "resource"}
_plain_values = attrgetter(*sorted(_others))
_resource_values = attrgetter(*(one.name for one in fields(Resource)))  # equal resources may differ in some


def digest_of(observed: Observed, *context: Hashable) -> int:
    """Return the digest of an observed series and of what it is registered with, for this process.

    Equal series have equal digests; others have different ones, but for a chance of 1 in 2**60. Neither the
    number of a usage that an API returned nor when the limit was read is in it.
    """
    usage = observed.usage
    return hash(
        (
            _plain_values(observed),
            _resource_values(observed.resource),
            *(tuple(getattr(observed, name).items()) for name in MAPPINGS),
            NUMBER if isinstance(usage, float | int) else usage,
            array("d", _numbers(observed)).tobytes(),
            context,
        )
    )


def _numbers(observed: Observed) -> Iterator[float]:
    """Yield the weights and offsets of the formulas, as `hash` is the same for -1.0 and -2.0."""
    formulas = observed.usage, observed.upper_bound, observed.throttled, observed.served
    for usage in (*formulas, observed.published_limit, *observed.throttled_by_cause.values()):
        for node in usage.nodes if isinstance(usage, Usage) else ():
            yield node.offset
            yield from (weight for _, weight in node.terms)
