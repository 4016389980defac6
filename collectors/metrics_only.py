"""Collectors of accounts of which only metrics can be read: accounts linked to a monitoring account.

Which signals can be read is derived from the declaration of a service. The dimensions of a signal's metrics
must identify its resource, and its expressions need no facts that only the service's API returns. Its limit
is published by CloudWatch, documented, AWS's default quota, or set in the configuration. Each other signal of
a service in use has one unobservable series, which says what is missing.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from collectors.base import ACCOUNT, Aws, Collector, Observed, Unobservable
from collectors.declaration import ACCOUNT_KIND, CELL_NAMES, Declaration, SignalDeclaration, placeholders
from collectors.declared_resources import FoundResources, Node, NodeScope
from collectors.declared_signals import observe
from collectors.listed_metrics import ListedMetric, ListedMetrics, MetricNames
from collectors.metric_identity import MetricIdentity, identity_of, templates_of
from collectors.resource import ResourcePath
from collectors.usage import USAGE_NAMESPACE
from rules.signals import LimitKind, Signal

IAM_ACTIONS = ("cloudwatch:ListMetrics",)
ONLY_METRICS = "only the account's metrics are read, by CloudWatch's cross-account observability"
ROLE_NEEDED = Unobservable(f"{ONLY_METRICS}: a role is needed for this signal")
LIMIT_NEEDED = Unobservable(f"{ONLY_METRICS}: set the limit in `limits`, or configure a role")
BOUGHT = "bought"
# A signal remains readable without these fields, if they need unknown facts.
OPTIONAL_FIELDS = frozenset({"limit", "when", BOUGHT})


@dataclass(frozen=True, slots=True)
class ReadableSignal:
    """A signal that can be read from metrics alone.

    declared: its declaration without the fields that need unknown facts. identities: how each metric
    identifies resources, by namespace and name of the metric. needs_published_limit: a resource is known to
    have the signal only if CloudWatch publishes its limit. lacks_limit: only an API returns the limit, and no
    default replaces it.
    """

    declared: SignalDeclaration
    identities: Mapping[tuple[str, str], MetricIdentity]
    needs_published_limit: bool
    lacks_limit: bool


def readable_signals(declaration: Declaration) -> Mapping[str, ReadableSignal]:
    """Return the signals of a service that can be read from metrics alone, by name."""
    candidates = ((name, _readable(declaration, signal)) for name, signal in declaration.signals.items())
    return {name: signal for name, signal in candidates if signal}


def _readable(declaration: Declaration, signal: SignalDeclaration) -> ReadableSignal | None:
    """Return the part of a signal that metrics tell; None if it cannot be read from metrics alone."""
    kind = signal.resource
    identities = {
        declaration.metric(key): identity
        for key in _identifying_metrics(declaration, signal)
        if (identity := identity_of(declaration, key, kind))
    }
    if not identities:
        return None
    known_names = frozenset.intersection(*(identity.names for identity in identities.values()))
    needed_names = _needed_names(declaration, signal)
    unreadable_fields = {field for field, names in needed_names if not names <= known_names}
    if unreadable_fields - OPTIONAL_FIELDS or _looks_up_resources(signal, unreadable_fields):
        return None
    is_certain = all(identity.is_certain for identity in identities.values())
    # A published metric proves that the whole account has the signal.
    needs_proof = kind != ACCOUNT_KIND and ("when" in unreadable_fields or not is_certain)
    if needs_proof and not _identifies_published_limit(declaration, signal):
        return None
    return ReadableSignal(
        _without_fields(signal, unreadable_fields),
        {(metric.namespace, metric.name): identity for metric, identity in identities.items()},
        needs_published_limit=needs_proof,
        lacks_limit="limit" in unreadable_fields and not signal.published_limit,
    )


def _without_fields(signal: SignalDeclaration, names: Set[str]) -> SignalDeclaration:
    """Return a signal without some of its fields."""
    fields = {name: getattr(signal, name) for name in SignalDeclaration.model_fields if name not in names}
    return SignalDeclaration.model_construct(**fields)


def _identifying_metrics(declaration: Declaration, signal: SignalDeclaration) -> Set[str]:
    """Return the keys of the metrics whose dimensions identify the resources of a signal.

    They are the metrics of its usage; without any, of its upper bound, or else of its throttled demand.
    """
    throttled = [*signal.throttled.values(), *filter(None, (signal.saturated,))]
    for expressions in ([signal.usage], [signal.upper_bound], throttled):
        names = {name for expression in expressions if expression for name in expression.names}
        if metrics := names & declaration.metrics.keys():
            return metrics
    return set()


def _needed_names(declaration: Declaration, signal: SignalDeclaration) -> Iterator[tuple[str, Set[str]]]:
    """Yield the fields of a signal with the facts, kinds and values that they need."""
    for field_name, expression in signal.formulas:
        metrics = expression.names & declaration.metrics.keys()
        templates = [templates_of(declaration, metric, signal.resource) for metric in metrics]
        template_names = {name for template in templates for name in placeholders(template)}
        names = expression.names | template_names
        yield _field(field_name), names - metrics - CELL_NAMES - declaration.tables.keys()


def _field(name: str) -> str:
    """Return the field of a signal that a formula belongs to."""
    return BOUGHT if name.startswith(f"{BOUGHT}.") else name


def _looks_up_resources(signal: SignalDeclaration, unreadable_fields: Set[str]) -> bool:
    """Return whether a readable field looks up other resources, which metrics may not tell."""
    return any(
        expression.attributes or expression.list_names
        for name, expression in signal.formulas
        if _field(name) not in unreadable_fields
    )


def _identifies_published_limit(declaration: Declaration, signal: SignalDeclaration) -> bool:
    """Return whether the dimensions of the published limit identify its resource."""
    names = signal.published_limit.names if signal.published_limit else frozenset[str]()
    metrics = names & declaration.metrics.keys()
    identities = [identity_of(declaration, metric, signal.resource) for metric in metrics]
    return bool(identities) and all(identity and identity.templates for identity in identities)


@dataclass(frozen=True)
class MetricsScan:
    """The scan function of a service of which only metrics can be read.

    declaration: None if all signals need a role. metrics: the service's metrics, which tell whether it is in
    use. all_metrics: the metrics of all services, whose list is shared. signals: all signals of the service.
    """

    declaration: Declaration | None
    metrics: MetricNames
    all_metrics: MetricNames
    signals: tuple[Signal, ...]
    __name__: str = field(default="metrics", init=False)

    @cached_property
    def _readable(self) -> Mapping[str, ReadableSignal]:
        return readable_signals(self.declaration) if self.declaration else {}

    async def __call__(self, aws: Aws) -> AsyncIterator[Observed]:
        """Yield the series that metrics tell, and unobservable series.

        If the service is in use, each other signal has one unobservable series.
        """
        listed = {
            metric
            for namespace in sorted({namespace for namespace, _ in self.metrics})
            for metric in await aws.state(ListedMetrics).of(aws, namespace, self.all_metrics)
            if metric.qualified_name in self.metrics
        }
        is_in_use = any(metric.namespace != USAGE_NAMESPACE for metric in listed)
        async for observed in self._series(aws, listed):
            is_in_use = True
            yield observed
        for name in (signal.name for signal in self.signals if is_in_use):
            if name not in self._readable and aws.includes(name, ACCOUNT):
                yield Observed(signal=name, resource=ACCOUNT, usage=ROLE_NEEDED)

    async def _series(self, aws: Aws, listed: Set[ListedMetric]) -> AsyncIterator[Observed]:
        """Yield the series of signals whose metrics are listed.

        A series that cannot be evaluated is reported and left out: dimensions may have any values.
        """
        if not self.declaration:
            return
        resources = FoundResources(self.declaration, aws, frozenset())
        for name, signal in self._readable.items():
            nodes = _nodes(signal, listed, resources)
            observe_at = partial(_observe, name, signal, resources, listed)
            async for _, observed in aws.map(nodes, observe_at, lambda node: node.resource):
                if observed and aws.includes(name, observed.resource):
                    yield self._with_limit(aws, observed, signal)

    def _with_limit(self, aws: Aws, observed: Observed, signal: ReadableSignal) -> Observed:
        """Return the series; unobservable if no metric, default or configuration has its limit."""
        if observed.published_limit or aws.has_own_limit(observed.signal, observed.resource):
            return observed
        entry = self._signals[observed.signal]
        if signal.lacks_limit or not (entry.default or entry.quota or observed.limit):
            return replace(observed, usage=LIMIT_NEEDED, upper_bound=None)
        # Only the default of a quota is known. It is marked as hard, so that usage above it marks the limit
        # as outdated, and raises no alert.
        return replace(observed, hard_limit=observed.hard_limit or entry.kind is LimitKind.QUOTA)

    @cached_property
    def _signals(self) -> Mapping[str, Signal]:
        return {signal.name: signal for signal in self.signals}


def _nodes(signal: ReadableSignal, listed: Set[ListedMetric], resources: FoundResources) -> Iterable[Node]:
    """Return the resources of a signal, each once."""
    nodes_by_path: dict[ResourcePath, Node] = {}
    for metric in sorted(listed):
        if identity := signal.identities.get(metric.qualified_name):
            node = identity.node(metric.dimensions, resources.constants)
            if node:
                nodes_by_path.setdefault(node.resource.path, node)
    return nodes_by_path.values()


async def _observe(
    name: str, signal: ReadableSignal, resources: FoundResources, listed: Set[ListedMetric], node: Node
) -> Observed | None:
    """Return the series of a signal at a resource; None if the resource has no such series.

    Raises ExpressionError for a dimension that an expression of the signal does not take.
    """
    for ancestor in reversed([*node.lineage]):
        _add_values(ancestor, resources)
    observed = observe(name, signal.declared, NodeScope(node, resources), ())
    is_missing = observed and signal.needs_published_limit and not _is_limit_published(observed, listed)
    return None if is_missing else observed


def _add_values(node: Node, resources: FoundResources) -> None:
    declared = resources.declaration.resources.get(node.kind)
    for name, expression in declared.values.items() if declared else ():
        if name not in node.facts and all(node.facts.get(used) is not None for used in expression.names):
            node.facts[name] = expression.evaluate(NodeScope(node, resources))


def _is_limit_published(observed: Observed, listed: Set[ListedMetric]) -> bool:
    metrics = observed.published_limit.metrics if observed.published_limit else ()
    return all(ListedMetric(metric.namespace, metric.name, metric.dimensions) in listed for metric in metrics)


def metric_names(collectors: Iterable[Collector]) -> MetricNames:
    """Return the namespaces and names of the metrics of collectors."""
    return frozenset(
        (metric.namespace, metric.name) for collector in collectors for metric in collector.metrics
    )


def metrics_only(collector: Collector, signals: Iterable[Signal], all_metrics: MetricNames) -> Collector:
    """Return the collector of the same service for an account of which only metrics can be read.

    signals: the signals of the service. all_metrics: the metrics of all services.
    """
    scan = MetricsScan(collector.declaration, metric_names([collector]), all_metrics, tuple(signals))
    return replace(collector.loaded_collector, scans=(scan,), iam_actions=IAM_ACTIONS, call_rates={}, arns={})
