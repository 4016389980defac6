"""Reduces a declaration to some of its signals, and to the calls, kinds and metrics that they need."""

from collections.abc import Collection

from collectors.declaration import (
    ACCOUNT_KIND,
    Declaration,
    ResourceDeclaration,
    SignalDeclaration,
    needed_names,
    placeholders,
)
from collectors.scan_groups import needed_kinds, signal_names, signal_needs


def reduce_declaration(declaration: Declaration, signals: Collection[str]) -> Declaration:
    """Return the declaration of these signals alone."""
    chosen_signals = {name: signal for name, signal in declaration.signals.items() if name in signals}
    kinds = _kinds(declaration, chosen_signals.values())
    names = _names(declaration, chosen_signals.values(), kinds)
    return declaration.model_copy(
        update={
            "signals": chosen_signals,
            "resources": {
                kind: _reduce_kind(declared, names)
                for kind, declared in declaration.resources.items()
                if kind in kinds
            },
            "metrics": {name: metric for name, metric in declaration.metrics.items() if name in names},
        }
    )


def _kinds(declaration: Declaration, signals: Collection[SignalDeclaration]) -> set[str]:
    """Return the kinds of resources that signals need, directly or through other kinds, and the account."""
    all_kinds = {ACCOUNT_KIND} & declaration.resources.keys()
    new_kinds = {kind for signal in signals for kind in (signal.resource, *signal_needs(declaration, signal))}
    while new_kinds := new_kinds & declaration.resources.keys() - all_kinds:
        all_kinds |= new_kinds
        new_kinds = {needed for kind in new_kinds for needed in needed_kinds(declaration, kind)}
    return all_kinds


def _names(
    declaration: Declaration, signals: Collection[SignalDeclaration], kinds: Collection[str]
) -> set[str]:
    """Return the names of the facts, values and metrics that signals and kinds need, also indirectly."""
    names: set[str] = set()
    for signal in signals:
        commands = [reason.enable for reason in (signal.unobservable, signal.bound) if reason]
        attributes = {name for _, formula in signal.formulas for _, name in formula.attributes}
        names |= {*signal_names(declaration, signal), *attributes, *placeholders(commands)}
    for metric in names & declaration.metrics.keys():
        names |= {*placeholders(declaration.metrics[metric].dimensions)}
    declared_kinds = [declaration.resources[kind] for kind in kinds]
    for declared in declared_kinds:
        names |= _names_needed_for_listing(declared)
    while new_names := {name for declared in declared_kinds for name in _needed_for(declared, names)} - names:
        names |= new_names
    return names


def _names_needed_for_listing(declared: ResourceDeclaration) -> set[str]:
    """Return the names without which the resources of a kind cannot be listed or identified."""
    names = {*declared.refers.values(), *filter(None, (declared.created, declared.zone))}
    names |= {*placeholders(declared.dimensions), *placeholders(declared.arn)}
    if declared.list:
        names |= {*needed_names(declared.list), *filter(None, (declared.list.fact,))}
    return names


def _needed_for(declared: ResourceDeclaration, names: Collection[str]) -> set[str]:
    """Return the names that the values and calls of a kind need to yield some of `names`."""
    expressions = [expression for value, expression in declared.values.items() if value in names]
    needed = {name for expression in expressions for name in expression.names}
    needed |= {name for expression in expressions for _, name in expression.attributes}
    for call in declared.calls:
        if not call.facts.keys().isdisjoint(names):
            needed |= needed_names(call)
    return needed


def _reduce_kind(declared: ResourceDeclaration, names: Collection[str]) -> ResourceDeclaration:
    return declared.model_copy(
        update={
            "calls": tuple(call for call in declared.calls if not call.facts.keys().isdisjoint(names)),
            "values": {name: value for name, value in declared.values.items() if name in names},
        }
    )
