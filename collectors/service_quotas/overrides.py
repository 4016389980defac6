"""The quotas whose metric of usage is read in another way than its name says: `overrides.yaml`."""

from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, RootModel, model_validator

from collectors.declaration import DeclarationModel, Text
from rules.model_file import misplaced, parse_model
from rules.signals import Quota

OVERRIDES_FILE = Path(__file__).with_name("overrides.yaml")


class ReadAs(StrEnum):
    """The meaning of a metric of usage."""

    LEVEL = "level"  # its highest value
    FLOW = "flow"  # its sum, per second
    NOTHING = "nothing"  # it is not read, as it measures something other than the quota


class MetricPatterns(DeclarationModel):
    """The dimensions of a metric of usage, as patterns; an empty one fits any."""

    service: Annotated[Text, Field(alias="Service")]
    resource: Annotated[Text, Field(alias="Resource")]


class Override(DeclarationModel):
    """A change of the way in which the metric of some quotas is read; fields that are None change nothing.

    quota: service code and code, or the service code alone. metric: its dimensions. One of them is set, and
    neither in NO_OVERRIDE. period: seconds for which a rate holds. throttled_in: the namespace of refused
    calls. parts: the dimension of the metrics of parts, the largest of which is the usage. why: the reason.
    """

    quota: Text | None = None
    metric: MetricPatterns | None = None
    read: ReadAs | None = None
    period: Annotated[float, Field(gt=0)] | None = None
    throttled_in: Text | None = None
    parts: Text | None = None
    why: Text = "-"

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "Override":
        if self.model_fields_set and (self.quota is None) == (self.metric is None):
            raise misplaced(("quota",), "expected either a quota or a metric")
        return self

    def fits(self, quota: Quota, dimensions: Mapping[str, str]) -> bool:
        """Return whether a quota, with a metric of these dimensions, is read in this way."""
        if self.metric:
            service, resource = (dimensions.get(name, "") for name in ("Service", "Resource"))
            patterns = self.metric.service, self.metric.resource
            return fnmatchcase(service, patterns[0]) and fnmatchcase(resource, patterns[1])
        return self.quota in (quota.service, f"{quota.service}/{quota.code}")


NO_OVERRIDE = Override()


class OverrideFile(RootModel[tuple[Override, ...]]):
    """The whole file: the first that fits applies."""


@cache
def read_overrides() -> tuple[Override, ...]:
    """Return the entries of `overrides.yaml`. Raises ValueError with its problems."""
    file = parse_model(OVERRIDES_FILE.read_bytes(), OVERRIDES_FILE.name, OverrideFile)
    if file.model is None:
        raise ValueError("; ".join(file.problems))
    return file.model.root


def override_of(quota: Quota, dimensions: Mapping[str, str]) -> Override:
    """Return how a quota with a metric of these dimensions is read."""
    return next((one for one in read_overrides() if one.fits(quota, dimensions)), NO_OVERRIDE)
