"""Ways to read usage metrics whose names or descriptions in AWS mislead: `overrides.yaml`."""

from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, RootModel, model_validator

from collectors.declaration import DeclarationModel
from rules.field_types import NonEmptyText
from rules.model_file import error_at, parse_model
from rules.signals import Quota

OVERRIDES_FILE = Path(__file__).with_name("overrides.yaml")


class ReadAs(StrEnum):
    """The meaning of the points of a usage metric."""

    LEVEL = "level"  # the usage is the highest value
    FLOW = "flow"  # the usage is the sum, per second
    NOTHING = "nothing"  # the metric is not read, because it measures something other than the quota


class MetricPatterns(DeclarationModel):
    """The dimensions of a usage metric, as patterns with the wildcards of `fnmatch`."""

    service: Annotated[NonEmptyText, Field(alias="Service")]
    resource: Annotated[NonEmptyText, Field(alias="Resource")]


class Override(DeclarationModel):
    """A different way to read the usage metric of some quotas; a field that is None changes nothing.

    quota: `<service code>/<quota code>`, or the service code alone. metric: the dimensions of the metric.
    Either quota or metric is set; NO_OVERRIDE has neither. period: the seconds over which a quota on a rate
    counts calls. throttled_in: the namespace of the metric of throttled calls. parts: the dimension that
    tells the metrics of a quota's parts apart; the usage is that of the largest part. why: the reason.
    """

    quota: NonEmptyText | None = None
    metric: MetricPatterns | None = None
    read: ReadAs | None = None
    period: Annotated[float, Field(gt=0)] | None = None
    throttled_in: NonEmptyText | None = None
    parts: NonEmptyText | None = None
    why: NonEmptyText = "-"

    @model_validator(mode="after")
    def _has_quota_or_metric(self) -> "Override":
        if self.model_fields_set and (self.quota is None) == (self.metric is None):
            raise error_at(("quota",), "expected either a quota or a metric")
        return self

    def fits(self, quota: Quota, dimensions: Mapping[str, str]) -> bool:
        """Return whether this override applies to a quota whose metric has these dimensions."""
        if self.metric:
            service, resource = (dimensions.get(name, "") for name in ("Service", "Resource"))
            patterns = self.metric.service, self.metric.resource
            return fnmatchcase(service, patterns[0]) and fnmatchcase(resource, patterns[1])
        return self.quota in (quota.service, f"{quota.service}/{quota.code}")


NO_OVERRIDE = Override()


class OverrideFile(RootModel[tuple[Override, ...]]):
    """The whole file; the first override that fits applies."""


@cache
def read_overrides() -> tuple[Override, ...]:
    """Return the entries of `overrides.yaml`. Raises ValueError with the file's problems."""
    file = parse_model(OVERRIDES_FILE.read_bytes(), OVERRIDES_FILE.name, OverrideFile)
    if file.model is None:
        raise ValueError("; ".join(file.problems))
    return file.model.root


def override_of(quota: Quota, dimensions: Mapping[str, str]) -> Override:
    """Return the override of a quota whose metric has these dimensions, or NO_OVERRIDE."""
    return next((override for override in read_overrides() if override.fits(quota, dimensions)), NO_OVERRIDE)
