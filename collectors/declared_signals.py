"""Evaluates the signals of declared services at a resource."""

from collections.abc import Sequence
from typing import Any

from collectors.amounts import usage_of
from collectors.base import Bought, Metric, Observed, SettingCost, Unobservable, Usage, total, zero_of
from collectors.declaration import (
    BoughtDeclaration,
    SettingCostDeclaration,
    SignalDeclaration,
    UnobservableDeclaration,
)
from collectors.declared_resources import MissingValueError, NodeScope
from collectors.expression import Expression, ExpressionError, epoch
from rules.command_template import fill_command


def observe(
    name: str, signal: SignalDeclaration, scope: NodeScope, incomplete_kinds: Sequence[str]
) -> Observed | None:
    """Return the series of a signal at a resource; None if the resource has no such series.

    incomplete_kinds: kinds whose resources or facts could not all be read; values that depend on them are
    unknown. Raises ExpressionError for values of the wrong type.
    """
    if signal.when and (
        not signal.when.names.isdisjoint(incomplete_kinds) or not signal.when.evaluate(scope)
    ):
        return None
    by_cause = {
        cause: usage for cause, demand in signal.throttled.items() if (usage := _usage(demand, scope))
    }
    saturated = _usage(signal.saturated, scope)
    return Observed(
        signal=name,
        resource=scope.node.resource,
        usage=_usage_or_reason(signal, scope, incomplete_kinds),
        limit=_number(signal.limit, scope),
        limit_read_at=scope.read_at(signal.limit.names) if signal.limit else None,
        published_limit=_usage(signal.published_limit, scope),
        hard_limit=signal.hard_limit,
        deliberate=bool(signal.deliberate and signal.deliberate.evaluate(scope)),
        bought=_bought(signal.bought, scope),
        created_at=_created_at(scope),
        throttled=_sum([*by_cause.values(), *([saturated] if saturated else [])]),
        throttled_by_cause={cause: usage for cause, usage in by_cause.items() if cause},
        throttled_incomplete=signal.throttled_incomplete,
        served=_usage(signal.served, scope),
        upper_bound=_usage(signal.upper_bound, scope),
        bounded_because=_reason(signal.bound, scope),
        judged=signal.judged,
        tags=scope.node.tags,
    )


def _sum(usages: Sequence[Usage]) -> Usage | None:
    """Return the sum of usages; None if there are none."""
    if not usages:
        return None
    return usages[0] if len(usages) == 1 else total(*usages)


def _bought(declared: BoughtDeclaration | None, scope: NodeScope) -> Bought | None:
    """Return how a limit is bought; None if that is not declared, or AWS did not return the size's name."""
    if not declared:
        return None
    size = declared.size.evaluate(scope) if declared.size else ""
    if not isinstance(size, str):
        return None
    return Bought(
        size=size,
        items=_number(declared.items, scope),
        minimum=_number(declared.minimum, scope) or 0.0,
        maximum=_number(declared.maximum, scope),
        included=_number(declared.included, scope) if declared.included else 0.0,
    )


def _created_at(scope: NodeScope) -> float | None:
    """Return when the resource was created, in epoch seconds; None if that is not known.

    If its kind declares no `created`, the time is that of the nearest ancestor whose kind does. A value that
    is no time is unknown.
    """
    declaration = scope.resources.declaration
    kinds = (declaration.resources[kind] for kind in reversed(declaration.lineage(scope.node.kind)))
    fact = next((kind.created for kind in kinds if kind.created), None)
    return time_of(scope.lookup(fact)) if fact else None


def time_of(value: Any) -> float | None:
    """Return a time of a response in epoch seconds; None for a value that is no time."""
    try:
        return epoch(value)
    except (TypeError, ValueError, ArithmeticError):
        return None


def _usage_or_reason(
    signal: SignalDeclaration, scope: NodeScope, incomplete_kinds: Sequence[str]
) -> Usage | float | Unobservable:
    """Return the usage, or why it is unknown: a read failed, a fact is missing, or AWS publishes no usage."""
    if incomplete_kinds:
        return Unobservable(f"not all could be read: {', '.join(incomplete_kinds)}")
    if reason := _reason(signal.unobservable, scope):
        return reason
    if not signal.usage:
        upper_bound = _usage(signal.upper_bound, scope)
        # 0 in each minute that has an upper bound: the usage is somewhere between 0 and the bound.
        return (
            zero_of(upper_bound) if upper_bound else Unobservable("AWS returned no upper bound of the usage")
        )
    return _evaluate_usage(signal.usage, scope)


def _evaluate_usage(expression: Expression, scope: NodeScope) -> Usage | float | Unobservable:
    """Return a usage, or why it is unknown.

    Raises ExpressionError for a wrong value, unless the expression aggregates several resources.
    """
    try:
        value = expression.evaluate(scope)
        if value is None:
            unknown_names = sorted(name for name in expression.names if scope.lookup(name) is None)
            if failed_facts := scope.resources.failed_account_facts.intersection(unknown_names):
                return Unobservable(f"could not be read: {', '.join(sorted(failed_facts))}")
            return Unobservable(f"AWS returned no {' or '.join(unknown_names) or 'value'}")
    except MissingValueError as error:
        return Unobservable(f"AWS returned {error}")
    except ExpressionError as error:
        if not expression.list_names:
            raise
        return Unobservable(f"not all could be read: {error}")
    return usage_of(value) if isinstance(value, Metric | Usage) else _as_number(value, expression)


def _as_number(value: Any, expression: Expression) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"expected a number of {expression.text}, found {value!r}")
    return float(value)


def _number(expression: Expression | None, scope: NodeScope) -> float | None:
    """Evaluate a number; None if it is not declared or unknown. Raises ExpressionError for other values."""
    value = expression.evaluate(scope) if expression else None
    return _as_number(value, expression) if expression and value is not None else None


def _usage(expression: Expression | None, scope: NodeScope) -> Usage | None:
    """Evaluate an expression over metrics; None if it is not declared, or a fact in it is unknown.

    Raises ExpressionError if the value is no metric.
    """
    try:
        value = expression.evaluate(scope) if expression else None
    except MissingValueError:
        return None
    if expression is None or value is None:
        return None
    if expression.list_names and value == 0:  # a sum over no resources
        return None
    if not isinstance(value, Metric | Usage):
        raise ExpressionError(f"expected a metric in {expression.text}, found {value!r}")
    return usage_of(value)


def _reason(declared: UnobservableDeclaration | None, scope: NodeScope) -> Unobservable | None:
    """Return a declared reason with its command; None if it is not declared or its condition is false."""
    if not declared or (declared.when and not declared.when.evaluate(scope)):
        return None
    command = _command(declared.enable, scope) if declared.enable else None
    return Unobservable(declared.reason, command, _cost(declared.cost) if command else None)


def _cost(declared: SettingCostDeclaration | None) -> SettingCost | None:
    if declared is None:
        return None
    return SettingCost(declared.text, declared.source, str(declared.read_on), declared.monthly_dollars)


def _command(template: str, scope: NodeScope) -> str | None:
    """Return a shell command; None if AWS did not return a fact that the command names."""
    try:
        return fill_command(template, lambda name: scope.render(f"{{{name}}}"))
    except MissingValueError:
        return None
