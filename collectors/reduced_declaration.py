"""Leaves out of a declaration what only some of its signals need: calls, kinds of resources and metrics."""

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


def reduced(declaration: Declaration, signals: Collection[str]) -> Declaration:
    """Return the declaration of these signals alone."""
    kept = {name: one for name, one in declaration.signals.items() if name in signals}
    kinds = _kinds(declaration, kept.values())
    names = _names(declaration, kept.values(), kinds)
    return declaration.model_copy(
        update={
            "signals": kept,
            "resources": {
                kind: _reduced_kind(declared, names)
                for kind, declared in declaration.resources.items()
                if kind in kinds
            },
            "metrics": {name: one for name, one in declaration.metrics.items() if name in names},
        }
    )


def _kinds(declaration: Declaration, signals: Collection[SignalDeclaration]) -> set[str]:
    """The kinds of resources that signals need, those that these need in turn, and the account."""
    found = {ACCOUNT_KIND} & declaration.resources.keys()
    waiting = {kind for one in signals for kind in (one.resource, *signal_needs(declaration, one))}
    while waiting := waiting & declaration.resources.keys() - found:
        found |= waiting
        waiting = {other for kind in waiting for other in needed_kinds(declaration, kind)}
    return found


def _names(
    declaration: Declaration, signals: Collection[SignalDeclaration], kinds: Collection[str]
) -> set[str]:
    """The facts, values and metrics that signals and kinds need, those of other resources included."""
    names: set[str] = set()
    for signal in signals:
        commands = [reason.enable for reason in (signal.unobservable, signal.bound) if reason]
        attributes = {name for _, formula in signal.formulas for _, name in formula.attributes}
        names |= {*signal_names(declaration, signal), *attributes, *placeholders(commands)}
    for metric in names & declaration.metrics.keys():
        names |= {*placeholders(declaration.metrics[metric].dimensions)}
    declared = [declaration.resources[kind] for kind in kinds]
    for one in declared:
        names |= _names_of_kind(one)
    while found := {name for one in declared for name in _needed_for(one, names)} - names:
        names |= found
    return names


def _names_of_kind(declared: ResourceDeclaration) -> set[str]:
    """The names without which the resources of a kind cannot be listed or distinguished."""
    names = {*declared.refers.values(), *filter(None, (declared.created, declared.zone))}
    names |= {*placeholders(declared.dimensions), *placeholders(declared.arn)}
    if declared.list:
        names |= {*needed_names(declared.list), *filter(None, (declared.list.fact,))}
    return names


def _needed_for(declared: ResourceDeclaration, names: Collection[str]) -> set[str]:
    """The names that the values and calls of a kind need which yield some of these names."""
    found = {name for value, one in declared.values.items() if value in names for name in one.names}
    attributes = (one.attributes for value, one in declared.values.items() if value in names)
    found |= {name for pairs in attributes for _, name in pairs}
    for call in declared.calls:
        if not call.facts.keys().isdisjoint(names):
            found |= needed_names(call)
    return found


def _reduced_kind(declared: ResourceDeclaration, names: Collection[str]) -> ResourceDeclaration:
    return declared.model_copy(
        update={
            "calls": tuple(call for call in declared.calls if not call.facts.keys().isdisjoint(names)),
            "values": {name: value for name, value in declared.values.items() if name in names},
        }
    )
