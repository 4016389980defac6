"""Bounds between CloudWatch metrics: an aggregate that AWS publishes bounds each of its parts.

While the aggregate of a count is 0, each part is 0, so the parts need not be read. While the aggregate of a
usage is too small to take a part to the upper edge of its band, no part is in danger.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rules.field_types import NonEmptyText
from rules.model_file import error_at


class Bound(BaseModel):
    """The sum of a metric over its parts is at most the value of the aggregate, in each minute.

    namespace, metrics, stat: of the parts; each metric has an aggregate of its own, unless `metric`
        names an aggregate that all share. Only sums of counts are declared: a mean or percentile of an
        aggregate bounds none of its parts, and a maximum only if all parts are sampled at the same time.
    dimensions: the names of all dimensions of a part.
    shared_dimensions: the dimensions that parts and aggregate share.
    is_usage: true if the metrics measure usage, false if they measure throttled demand.
    inequality: why the inequality holds, in words.
    source: AWS's page about the dimensions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    namespace: NonEmptyText
    metrics: tuple[NonEmptyText, ...] = Field(min_length=1)
    stat: Literal["Sum"] = "Sum"
    dimensions: tuple[NonEmptyText, ...] = Field(min_length=1)
    shared_dimensions: tuple[NonEmptyText, ...]
    metric: NonEmptyText | None = None
    is_usage: bool = False
    inequality: NonEmptyText
    source: Annotated[str, Field(pattern=r"^https://docs\.aws\.amazon\.com/\S+$")]

    @model_validator(mode="after")
    def _aggregate_is_coarser(self) -> "Bound":
        if not {*self.shared_dimensions} <= {*self.dimensions}:
            raise error_at(("shared_dimensions",), "expected dimensions of the parts")
        if {*self.shared_dimensions} == {*self.dimensions} and self.metric is None:
            raise error_at(
                ("shared_dimensions",), "expected fewer dimensions than those of the parts, or another metric"
            )
        return self

    def aggregate_dimensions(self, dimensions: Mapping[str, str]) -> Mapping[str, str]:
        """Return the dimensions of the aggregate of a part with these dimensions."""
        return {name: value for name, value in dimensions.items() if name in self.shared_dimensions}
