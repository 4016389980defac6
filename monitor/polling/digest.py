"""Digests of observed series: a series whose digest is unchanged is not registered again."""

from array import array
from collections.abc import Hashable, Iterator
from dataclasses import fields
from operator import attrgetter

from collectors.base import Observed, Resource, Usage

NUMBER = "number"  # replaces a usage that an API returned as a number
# Fields that may change without a new registration, as `Fleet.confirm` updates them: the usage if it is a
# number, and the time when the limit was read.
CONFIRMED_FIELDS = {"usage", "limit_read_at"}
MAPPING_FIELDS = ("tags", "throttled_by_cause")

_plain_fields = {field.name for field in fields(Observed)} - {*CONFIRMED_FIELDS, *MAPPING_FIELDS, "resource"}
_plain_values = attrgetter(*sorted(_plain_fields))
# All fields of a resource, as two resources with the same path are equal whatever their other fields.
_resource_values = attrgetter(*(field.name for field in fields(Resource)))


def digest_of(observed: Observed, *context: Hashable) -> int:
    """Return the digest of an observed series and of its context; digests are valid within one process.

    context: everything else that the registration depends on, such as the reading of its quota. Equal series
    have equal digests; two different series have equal digests with a probability of 1 in 2**60. The digest
    covers neither a usage that an API returned as a number, nor the time when the limit was read.
    """
    usage = observed.usage
    return hash(
        (
            _plain_values(observed),
            _resource_values(observed.resource),
            *(tuple(getattr(observed, name).items()) for name in MAPPING_FIELDS),
            NUMBER if isinstance(usage, float | int) else usage,
            array("d", _numbers(observed)).tobytes(),
            context,
        )
    )


def _numbers(observed: Observed) -> Iterator[float]:
    """Yield the weights and offsets of the formulas; their bytes are hashed, as hash(-1.0) == hash(-2.0)."""
    formulas = observed.usage, observed.upper_bound, observed.throttled, observed.served
    for formula in (*formulas, observed.published_limit, *observed.throttled_by_cause.values()):
        for node in formula.nodes if isinstance(formula, Usage) else ():
            yield node.offset
            yield from (weight for _, weight in node.terms)
