"""The kinds of hops of request paths, as `hops.yaml` declares them: one for each service."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from rules.field_types import NonEmptyText, PositiveNumber
from rules.model_file import error_at, parse_model
from rules.signals import AWS_DOCS

HOPS_FILE = Path(__file__).parent / "hops.yaml"


class PathModelBase(BaseModel):
    """The base of the models of hops and paths: immutable, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HopMetric(PathModelBase):
    """A CloudWatch metric of a hop. Its values are multiplied by `scale`.

    dimensions: templates; see `hops.yaml` for their placeholders. parts: the number of parts that the text of
    the resource must have; None for any number.
    """

    namespace: NonEmptyText
    metric: NonEmptyText
    stat: Literal["Sum", "Average"] = "Sum"
    scale: PositiveNumber = 1.0
    dimensions: Mapping[NonEmptyText, NonEmptyText]
    parts: int | None = None


class FlowSource(PathModelBase):
    """The source of a hop's flow: the usage of a signal, or a metric with the fields of `HopMetric`."""

    signal: NonEmptyText | None = None
    namespace: NonEmptyText | None = None
    metric: NonEmptyText | None = None
    parts: int | None = None
    dimensions: Mapping[NonEmptyText, NonEmptyText] = {}

    @model_validator(mode="after")
    def _has_either_signal_or_metric(self) -> "FlowSource":
        if bool(self.signal) == bool(self.metric):
            raise error_at((), "expected either a signal or a metric")
        return self

    @property
    def hop_metric(self) -> HopMetric | None:
        """The metric that counts the units; None if a signal counts them."""
        if not (self.namespace and self.metric):
            return None
        return HopMetric(
            namespace=self.namespace, metric=self.metric, dimensions=self.dimensions, parts=self.parts
        )


class HopLimit(PathModelBase):
    """A limit that the flow of a hop runs into; see `hops.yaml` for its fields."""

    of: Literal["resource", "account"]
    each: PositiveNumber | NonEmptyText | None = None
    unless: NonEmptyText | None = None
    not_after: tuple[NonEmptyText, ...] = ()


class Payload(PathModelBase):
    """The largest payload of a unit.

    what: a sentence about the payload. after: the services that precede the hop and whose units have this
    payload at most; empty if it does not matter which services precede. source: the URL of AWS's page.
    """

    bytes: Annotated[int, Field(gt=0)]
    what: NonEmptyText
    after: tuple[NonEmptyText, ...] = ()
    source: Annotated[str, Field(pattern=f"^{AWS_DOCS}")]


class HopKind(PathModelBase):
    """The hops of one service in request paths; see `hops.yaml` for the fields."""

    title: NonEmptyText
    unit: NonEmptyText
    parts: tuple[NonEmptyText, ...] = Field(min_length=1)
    scope: Literal["region", "global"] = "region"
    identified_by: tuple[NonEmptyText, ...] = ()
    flow: tuple[FlowSource, ...] = ()
    measures: Mapping[NonEmptyText, HopMetric] = {}
    limits: Mapping[NonEmptyText, HopLimit] = {}
    payloads: tuple[Payload, ...] = ()
    per_unit: PositiveNumber | None = None
    unlimited: NonEmptyText | None = None

    @model_validator(mode="after")
    def _names_known_measures_and_limits(self) -> "HopKind":
        for name, limit in self.limits.items():
            if isinstance(limit.each, str) and limit.each not in self.measures:
                raise error_at(("limits", name, "each"), f"expected a number or one of {[*self.measures]}")
            if limit.unless and limit.unless not in self.limits:
                raise error_at(("limits", name, "unless"), "expected another limit of the hop")
            if limit.of == "account" and limit.each is None:
                raise error_at(
                    ("limits", name, "each"), "missing: other resources of the account use the limit, too"
                )
        return self

    @property
    def signals(self) -> Sequence[str]:
        """The signals by whose series a resource is found."""
        flow_signals = (source.signal for source in self.flow if source.signal)
        return [*dict.fromkeys((*self.limits, *flow_signals, *self.identified_by))]

    def limits_after(self, preceding_services: Collection[str]) -> Iterator[tuple[str, HopLimit]]:
        """Yield the signal and the limit of each limit that holds after hops of these services."""
        for name, limit in self.limits.items():
            if not (preceding_services and {*preceding_services} <= {*limit.not_after}):
                yield name, limit

    def payload_after(self, preceding_services: Collection[str]) -> Payload | None:
        """Return the largest payload after hops of these services; None if it is unknown."""
        matching = (
            payload
            for payload in self.payloads
            if not payload.after or {*payload.after} & {*preceding_services}
        )
        return next(matching, None)

    def split(self, resource: str) -> tuple[str, ...]:
        """Return the parts of the text of a resource."""
        return tuple(resource.split("/", len(self.parts) - 1))


class HopKinds(RootModel[Mapping[NonEmptyText, HopKind]]):
    """The kinds of hops by service."""


@cache
def hop_kinds() -> Mapping[str, HopKind]:
    """Return the kinds of hops by service. Reads the file once."""
    file = parse_model(HOPS_FILE.read_bytes(), HOPS_FILE.name, HopKinds)
    return file.model.root if file.model else {}  # a test checks that the file has no problem
