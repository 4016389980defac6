"""The model of `collectors/<service>.yaml`, a declaration of how the resources of a service are read.

The meaning of the signals is in `rules/catalogue/<service>.yaml`. `collectors.declared` makes a collector of
a declaration.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationInfo

from collectors.base import Metric, ServiceScope
from collectors.expression import Expression, parse_expression, unchecked_expression
from collectors.response_path import ResponsePath, response_path, unchecked_path
from rules.command_template import PLACEHOLDER
from rules.field_types import NonEmptyText
from rules.signals import NamedUnit
from rules.units import COUNT

ACCOUNT_KIND = "account"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
STATISTIC = (
    r"^(Average|Maximum|Minimum|SampleCount|Sum|IQM|p(100|[0-9]{1,2}(\.[0-9]+)?)|tm[0-9]{1,2}(\.[0-9]+)?)$"
)
NAME = re.compile(r"[a-z][a-z0-9_]*")
ID = "id"  # the fact that every resource has
# Names of times that every expression may use, in epoch seconds: the time of the inventory, the beginning of
# its UTC day, and the beginning of the day two days before.
TIMES = frozenset({"now", "today", "two_days_ago"})
CELL_NAMES = TIMES | {"region", "account_id", "partition"}

# The validation context of data without problems, whose paths and expressions are parsed at their first use.
CHECKED = {"checked": True}

ITSELF = ResponsePath("@")  # the path of a whole item


def _path(value: Any, info: ValidationInfo) -> ResponsePath:
    if not isinstance(value, str):
        raise ValueError(f"expected a JMESPath, found {value!r}")
    return unchecked_path(value) if info.context is CHECKED else response_path(value)


def _expression(value: Any, info: ValidationInfo) -> Expression:
    if not isinstance(value, str | int | float):  # numbers, true and false are expressions
        raise ValueError(f"expected an expression, found {value!r}")
    text = value if isinstance(value, str) else repr(value)
    return unchecked_expression(text) if info.context is CHECKED else parse_expression(text)


def _call(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9-]+\.[A-Z][A-Za-z0-9]*", value):
        raise ValueError(f"expected client.Operation such as sqs.ListQueues, found {value!r}")
    return tuple(value.split("."))


def _by_cause(value: Any) -> Any:
    return value if isinstance(value, dict) else {"": value}  # a single expression, without a cause


Identifier = Annotated[str, Field(pattern=rf"^{NAME.pattern}$")]
JmesPath = Annotated[ResponsePath, PlainValidator(_path)]
ParsedExpression = Annotated[Expression, PlainValidator(_expression)]
Operation = Annotated[tuple[str, str], BeforeValidator(_call)]


class DeclarationModel(BaseModel):
    """Base of all parts of a declaration: immutable, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)


class MetricDeclaration(DeclarationModel):
    """A CloudWatch metric.

    name: the metric's name, where it differs from the key. namespace: where it differs from the service's.
    stat: CloudWatch's statistic. period: seconds. absent: the value of a missing point. dimensions: templates
    of the dimensions, where they differ from those of the signal's resource.
    """

    name: NonEmptyText | None = None
    namespace: NonEmptyText | None = None
    stat: Annotated[str, Field(pattern=STATISTIC)]
    period: Literal[60, 300, 900, 3600] = 60
    absent: Literal["unknown", "zero"] = "unknown"
    unit: NamedUnit = COUNT
    dimensions: Mapping[str, NonEmptyText] | None = None


class CallDeclaration(DeclarationModel):
    """A call, and the facts that are taken from its response.

    call: the client and the operation. params: parameters, with `{name}` for ids and facts. first: further
    parameters of the first page alone. items: the path of the items in each page; the facts are then taken
    from the list of all items. when: a condition over facts; where it does not hold, the call is not made and
    its facts are None. none_when: codes of errors that say that nothing is configured; the facts are then
    None. every: seconds for which the facts are used again, where a call is slow and its facts seldom change.
    batch: how many resources one call may name; the list of their names is then the only parameter that is a
    list. match: the path of a resource's name in each item of a batch's response. region: `home` for a call
    to the partition's home region. rate: calls per second that Headroom allows itself. If a call fails, the
    signals that use its facts have no new series.
    """

    call: Operation
    params: Mapping[str, Any] = {}
    first: Mapping[str, Any] = {}
    items: JmesPath | None = None
    facts: Mapping[Identifier, JmesPath] = {}
    when: ParsedExpression | None = None
    none_when: tuple[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9.]*$")], ...] = ()
    every: Annotated[int, Field(ge=600, le=7 * 86400)] | None = None
    batch: Annotated[int, Field(ge=2, le=1000)] | None = None
    match: JmesPath | None = None
    region: Literal["home"] | None = None
    rate: Annotated[float, Field(ge=1)] | None = None

    @cached_property
    def identity(self) -> tuple[Any, ...]:
        """The identity of the declared call within its service, without the values in its parameters."""
        paths = ((name, path.text) for name, path in self.facts.items())
        return self.call, repr((self.first, self.params)), *paths


class ListDeclaration(DeclarationModel):
    """The list of the resources of a kind: a call with `items`, or a fact of the parent that holds them.

    call, params, first, items, region, rate: as in a CallDeclaration. fact: the name of the parent's fact.
    """

    call: Operation | None = None
    params: Mapping[str, Any] = {}
    first: Mapping[str, Any] = {}
    items: JmesPath | None = None
    fact: Identifier | None = None
    region: Literal["home"] | None = None
    rate: Annotated[float, Field(ge=1)] | None = None


class ResourceDeclaration(DeclarationModel):
    """A kind of resource.

    parent: the kind that it is a part of. list: how its items are listed. where: a path that is true for the
    items that are resources of the kind; None: all are. id, name, facts: paths into an item. calls: further
    calls for each resource, in order. values: expressions over facts. refers: the kinds that it refers to,
    each with the name of the fact that holds the other resource's id. dimensions: the templates of its
    metrics' dimensions. created: the name of the fact with its time of creation. zone: the name of the fact
    with its Availability Zone. tags: the path of its tags in an item, a list of keys and values or a mapping.
    arn: the template of its ARN. foreign: the resource exists without the service, such as a VPC or a zone,
    and does not show that the service is in use. Foreign resources are listed only after another resource
    shows that the service is in use, or refers to them.
    """

    parent: Identifier | None = None
    list: ListDeclaration | None = None
    where: JmesPath | None = None
    id: JmesPath = ITSELF
    name: JmesPath | None = None
    facts: Mapping[Identifier, JmesPath] = {}
    calls: tuple[CallDeclaration, ...] = ()
    values: Mapping[Identifier, ParsedExpression] = {}
    refers: Mapping[Identifier, Identifier] = {}
    dimensions: Mapping[str, NonEmptyText] = {}
    created: Identifier | None = None
    zone: Identifier | None = None
    tags: JmesPath | None = None
    arn: NonEmptyText | None = None
    foreign: bool = False

    def fact_names(self) -> Iterator[str]:
        """Yield the names of its facts and values."""
        yield from self.facts
        for call in self.calls:
            yield from call.facts
        yield from self.values


class SettingCostDeclaration(DeclarationModel):
    """The price of a setting of AWS; the fields are those of `collectors.base.SettingCost`."""

    text: NonEmptyText
    source: NonEmptyText
    read_on: date
    monthly_dollars: Annotated[float, Field(ge=0)] | None = None


class UnobservableDeclaration(DeclarationModel):
    """A reason why a usage cannot be observed, or counts only a part of the limited quantity.

    when: the condition under which the reason holds; None: it always holds. enable: the template of the shell
    command that makes the usage observable. cost: the price of the setting that the command enables.
    """

    when: ParsedExpression | None = None
    reason: NonEmptyText
    enable: NonEmptyText | None = None
    cost: SettingCostDeclaration | None = None


class BoughtDeclaration(DeclarationModel):
    """The terms on which the limit of a resource is bought; the fields are those of `collectors.base.Bought`.

    size: an expression that gives the name of one of the signal's sizes in the catalogue.
    """

    size: ParsedExpression | None = None
    items: ParsedExpression | None = None
    minimum: ParsedExpression | None = None
    maximum: ParsedExpression | None = None
    included: ParsedExpression | None = None


BOUGHT_FIELDS = ("size", "items", "minimum", "maximum", "included")
FORMULA_FIELDS = (
    "when",
    "usage",
    "limit",
    "published_limit",
    "deliberate",
    "saturated",
    "served",
    "upper_bound",
)


class SignalDeclaration(DeclarationModel):
    """The formulas of a signal; the fields are those of `collectors.base.Observed`, as expressions.

    resource: the kind of resource that has the limit. when: the condition for a resource to have the signal.
    throttled: expressions by cause; a single expression in YAML has the cause "". saturated: a comparison of
    metrics that shows whether demand is throttled, where no metric shows how much. bound: why `usage` is only
    a lower bound of the limited quantity. judged: false where only `upper_bound` is known, which is then
    shown and not judged.
    """

    resource: Identifier = ACCOUNT_KIND
    when: ParsedExpression | None = None
    usage: ParsedExpression | None = None
    unobservable: UnobservableDeclaration | None = None
    limit: ParsedExpression | None = None
    published_limit: ParsedExpression | None = None
    hard_limit: bool = False
    deliberate: ParsedExpression | None = None
    bought: BoughtDeclaration | None = None
    throttled: Annotated[Mapping[str, ParsedExpression], BeforeValidator(_by_cause)] = {}
    saturated: ParsedExpression | None = None
    throttled_incomplete: bool = False
    served: ParsedExpression | None = None
    upper_bound: ParsedExpression | None = None
    bound: UnobservableDeclaration | None = None
    judged: bool = True

    @cached_property
    def formulas(self) -> tuple[tuple[str, Expression], ...]:
        """Every expression with the name of its field."""
        fields = ((field, getattr(self, field)) for field in FORMULA_FIELDS)
        throttled = (("throttled", expression) for expression in self.throttled.values())
        reasons = (
            (f"{field}.when", reason.when)
            for field in ("unobservable", "bound")
            if (reason := getattr(self, field))
        )
        bought = ((f"bought.{field}", getattr(self.bought, field)) for field in BOUGHT_FIELDS if self.bought)
        candidates = (*fields, *throttled, *reasons, *bought)
        return tuple((field, expression) for field, expression in candidates if expression)


class Declaration(DeclarationModel):
    """A declared service.

    delay: minutes until its metrics are complete (see `Collector.publication_delay`). scope: `global` for a
    service that is read once per account and partition. region: the region of its API and metrics, if not the
    home region of the partition. always_in_use: the account has the service's signals even if the service has
    no resource. namespace: the namespace of its metrics. tables: numbers by key, for expressions such as
    `limits[node_type]`.
    """

    service: Identifier
    scope: ServiceScope = ServiceScope.REGION
    always_in_use: bool = False
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")] = ""
    delay: Annotated[int, Field(ge=0, le=60)] = 3
    namespace: NonEmptyText
    metrics: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")], MetricDeclaration] = {}
    tables: Mapping[Identifier, Mapping[str, float]] = {}
    resources: Mapping[Identifier, ResourceDeclaration] = {}
    signals: Mapping[Identifier, SignalDeclaration]

    def metric(self, key: str) -> Metric:
        """Return the metric that a key declares, without dimensions."""
        declared = self.metrics[key]
        return Metric(
            declared.namespace or self.namespace,
            declared.name or key,
            declared.stat,
            zero_when_absent=declared.absent == "zero",
            unit=declared.unit,
            period=declared.period,
        )

    def lineage(self, kind: str) -> tuple[str, ...]:
        """Return the kinds of a resource's ancestors and its own, which is the last; none for the account.

        Expects known parents without a cycle, see `collectors.declaration_problems`.
        """
        if kind == ACCOUNT_KIND:
            return ()
        parent = self.resources[kind].parent
        return (*(self.lineage(parent) if parent else ()), kind)

    @property
    def may_be_unused(self) -> bool:
        """True if a service without resources is known to be not in use."""
        own_kinds = {kind for kind, declared in self.resources.items() if not declared.foreign}
        return bool(own_kinds - {ACCOUNT_KIND}) and not self.always_in_use

    def calls(self) -> Iterator[tuple[str, CallDeclaration | ListDeclaration]]:
        """Yield every call with the place where it is declared."""
        for kind, resource in self.resources.items():
            if resource.list and resource.list.call:
                yield f"resources.{kind}.list", resource.list
            for index, call in enumerate(resource.calls):
                yield f"resources.{kind}.calls.{index}", call


def checked_declaration(data: Mapping[str, Any]) -> Declaration:
    """Return the declaration of data without problems. Its paths and expressions are parsed at first use."""
    return Declaration.model_validate(data, context=CHECKED)


def placeholders(template: Any) -> Iterator[str]:
    """Yield the names in a template, or in the templates within a value."""
    if isinstance(template, str):
        yield from PLACEHOLDER.findall(template)
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from placeholders(value)
    elif isinstance(template, list):
        for value in template:
            yield from placeholders(value)


def batch_parameter(call: CallDeclaration) -> str:
    """Return the name of the parameter that lists the resources of a batch. Raises ValueError without one."""
    lists = [name for name, value in call.params.items() if isinstance(value, list)]
    if len(lists) != 1 or len(call.params[lists[0]]) != 1:
        raise ValueError("expected one parameter that is a list of one template")
    return lists[0]


def needed_names(call: CallDeclaration | ListDeclaration) -> set[str]:
    """Return the names that the parameters and the condition of a call need."""
    names = {*placeholders(call.params), *placeholders(call.first)}
    return names | (call.when.names if isinstance(call, CallDeclaration) and call.when else set())
