"""Groups the kinds of resources of a declared service: one scan lists the kinds that need each other.

Groups are independent: if the calls of a group are denied, only the series of this group are missing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from collectors.declaration import (
    ACCOUNT_KIND,
    TIMES,
    Declaration,
    ResourceDeclaration,
    SignalDeclaration,
    needed_names,
    placeholders,
)
from monitor.lib.errors import HeadroomError

Signals = Mapping[str, SignalDeclaration]
UNDECLARED_KIND = ResourceDeclaration()


@dataclass(frozen=True, slots=True)
class ScanGroup:
    """The kinds that one scan lists, in this order: each kind after the kinds that it needs.

    name: the name of the scan.
    signals: the signals by the kind of their resources, then by name.
    needs: by signal, the kinds that its expressions look up, except its resource's own kind and ancestors.
    names: by signal, all names in its expressions and in the dimensions of its metrics.
    indexed: the kinds in `needs`, whose resources are looked up.
    parents: the kinds that have parts.
    account_facts: all names that the group uses; they tell which calls for the whole account are needed.
    self_contained: by signal that looks up no other kind and depends on no time, all names that it uses.
    refers: by kind, the kinds that it refers to.
    foreign: the kinds declared `foreign`.
    auxiliary: for each kind that is listed only for other kinds, these other kinds.
    """

    name: str
    kinds: tuple[str, ...]
    signals: Mapping[str, Signals]
    needs: Mapping[str, frozenset[str]]
    names: Mapping[str, frozenset[str]]
    indexed: frozenset[str]
    parents: frozenset[str]
    account_facts: frozenset[str]
    self_contained: Mapping[str, frozenset[str]]
    refers: Mapping[str, frozenset[str]]
    foreign: frozenset[str]
    auxiliary: Mapping[str, frozenset[str]]

    def kinds_waiting_for(self, kind: str) -> Iterator[str]:
        """Yield the kinds whose listing waits until a resource of this kind is listed."""
        referred_kinds = self.refers.get(kind, frozenset())
        for other in self.kinds[: self.kinds.index(kind)]:
            if kind in self.auxiliary.get(other, ()) or (other in self.foreign and other in referred_kinds):
                yield other

    def immediate_signals(self, kind: str) -> Signals:
        """Return the signals of a kind that need only kinds listed before it; none for a foreign kind."""
        if kind in self.foreign:
            return {}
        earlier_kinds = {*self.kinds[: self.kinds.index(kind)]} if kind in self.kinds else set[str]()
        signals = self.signals.get(kind, {})
        return {name: signal for name, signal in signals.items() if self.needs[name] <= earlier_kinds}

    def deferred_signals(self, kind: str) -> Signals:
        """Return the signals of a kind that need kinds listed after it; all signals of the whole account."""
        immediate = self.immediate_signals(kind) if kind != ACCOUNT_KIND else {}
        signals = self.signals.get(kind, {})
        return {name: signal for name, signal in signals.items() if name not in immediate}

    def is_needed_later(self, kind: str) -> bool:
        """Return whether the resources of a kind are used again after their own list has ended."""
        return kind in self.parents or bool(self.deferred_signals(kind))


class CycleError(HeadroomError, ValueError):
    """Kinds need each other in a cycle. kind: the last kind of the cycle; needed: the first kind."""

    def __init__(self, cycle: list[str]) -> None:
        self.kind, self.needed = cycle[-1], cycle[0]
        super().__init__(f"expected no cycle, found {' -> '.join((*cycle, cycle[0]))}")


def scan_groups(declaration: Declaration) -> list[ScanGroup]:
    """Return the groups of a service, in the order of its kinds and signals. Raises CycleError."""
    order = listing_order(declaration)
    groups = _Groups([*order, *map(_signal_member, declaration.signals)])
    for kind in order:
        groups.join([kind, *needed_kinds(declaration, kind)])
    for name, signal in declaration.signals.items():
        own = {signal.resource} - {ACCOUNT_KIND}
        groups.join([_signal_member(name), *own, *signal_needs(declaration, signal)])
    used_names = {
        member: _with_account(declaration, names) for member, names in _names_by_member(declaration)
    }
    for call in _account(declaration).calls:
        groups.join(member for member, names in used_names.items() if call.facts.keys() & names)
    return [_scan_group(declaration, order, group, used_names) for group in groups]


def listing_order(declaration: Declaration) -> list[str]:
    """Return the kinds, each after the kinds that it needs. Raises CycleError."""
    order: dict[str, None] = {}
    visiting: list[str] = []

    def visit(kind: str) -> None:
        if kind in visiting:
            raise CycleError(visiting[visiting.index(kind) :])
        visiting.append(kind)
        for other in sorted(needed_kinds(declaration, kind)):
            if other not in order:
                visit(other)
        visiting.pop()
        order[kind] = None

    for kind in declaration.resources:
        if kind != ACCOUNT_KIND and kind not in order:
            visit(kind)
    return list(order)


def needed_kinds(declaration: Declaration, kind: str) -> set[str]:
    """Return the kinds that are listed before a kind: its parent, and the kinds that it refers to."""
    declared = declaration.resources[kind]
    return {*declared.refers, *([declared.parent] if declared.parent else ())}


def signal_needs(declaration: Declaration, signal: SignalDeclaration) -> frozenset[str]:
    """Return the kinds that a signal looks up, without its resource's kind and the ancestors of this kind."""
    names = {name for _, expression in signal.formulas for name in expression.names}
    return frozenset(names & declaration.resources.keys()) - {*declaration.lineage(signal.resource)}


def _signal_member(name: str) -> str:
    return f"signal {name}"


def _names_by_member(declaration: Declaration) -> Iterator[tuple[str, set[str]]]:
    """Yield the kinds and signals with the names that they use."""
    for kind, declared in declaration.resources.items():
        if kind != ACCOUNT_KIND:
            yield kind, _names_of_kind(declared)
    for name, signal in declaration.signals.items():
        commands = [reason.enable for reason in (signal.unobservable, signal.bound) if reason]
        yield _signal_member(name), {*signal_names(declaration, signal), *placeholders(commands)}


def _names_of_kind(declared: ResourceDeclaration) -> set[str]:
    """Return the names in the values and calls of a kind; the names in its dimensions belong to signals."""
    names = {name for value in declared.values.values() for name in value.names}
    for call in (*declared.calls, *([declared.list] if declared.list else ())):
        names |= needed_names(call)
    return names


def signal_names(declaration: Declaration, signal: SignalDeclaration) -> frozenset[str]:
    """Return the names in the expressions of a signal, and in the dimensions of its metrics."""
    names = {name for _, expression in signal.formulas for name in expression.names}
    resource_dimensions = declaration.resources.get(signal.resource, UNDECLARED_KIND).dimensions
    for metric in names & declaration.metrics.keys():
        dimensions = declaration.metrics[metric].dimensions
        names.update(placeholders(resource_dimensions if dimensions is None else dimensions))
    return frozenset(names)


def _account(declaration: Declaration) -> ResourceDeclaration:
    return declaration.resources.get(ACCOUNT_KIND, UNDECLARED_KIND)


def _with_account(declaration: Declaration, names: Iterable[str]) -> set[str]:
    """Return names, with the names that the account's values and calls need to yield them."""
    all_names, account = {*names}, _account(declaration)
    for name, value in reversed([*account.values.items()]):
        if name in all_names:
            all_names |= value.names
    for call in reversed(account.calls):
        if all_names & call.facts.keys():
            all_names |= needed_names(call)
    return all_names


def _scan_group(
    declaration: Declaration, order: Iterable[str], group: set[str], used_names: Mapping[str, set[str]]
) -> ScanGroup:
    """Return the scan group of these kinds and signals. used_names: all names that each of them uses."""
    kinds = tuple(kind for kind in order if kind in group)
    signals = {name: signal for name, signal in declaration.signals.items() if _signal_member(name) in group}
    signals_by_kind: dict[str, dict[str, SignalDeclaration]] = {}
    for name, signal in signals.items():
        signals_by_kind.setdefault(signal.resource, {})[name] = signal
    needs = {name: signal_needs(declaration, signal) for name, signal in signals.items()}
    names_by_signal = {name: used_names[_signal_member(name)] for name in signals}
    return ScanGroup(
        name=next(iter((*kinds, *signals))),
        kinds=kinds,
        signals=signals_by_kind,
        needs=needs,
        names={name: signal_names(declaration, signal) for name, signal in signals.items()},
        indexed=frozenset[str]().union(*needs.values()),
        parents=frozenset(parent for kind in kinds if (parent := declaration.resources[kind].parent)),
        account_facts=frozenset(name for member in group for name in used_names[member]),
        self_contained={
            name: frozenset(names)
            for name, names in names_by_signal.items()
            if not needs[name] and names.isdisjoint(TIMES) and signals[name].resource != ACCOUNT_KIND
        },
        refers={kind: frozenset(declaration.resources[kind].refers) for kind in kinds},
        foreign=frozenset(kind for kind in kinds if declaration.resources[kind].foreign),
        auxiliary={kind: users for kind in kinds if (users := _auxiliary_users(declaration, kind))},
    )


def _auxiliary_users(declaration: Declaration, kind: str) -> frozenset[str]:
    """Return the kinds that use a kind which is listed only for them; empty for a kind that is always listed.

    The listing of the kind waits until one of the returned kinds has a resource. A kind is always listed if
    it or the account uses it, if it is a part or has parts, or if it or a user is foreign.
    """
    declared, resources = declaration.resources[kind], declaration.resources
    if declared.parent or declared.foreign or any(kind == other.parent for other in resources.values()):
        return frozenset()
    users = {
        signal.resource
        for signal in declaration.signals.values()
        if kind == signal.resource or kind in signal_needs(declaration, signal)
    }
    users |= {
        user for user, user_declaration in resources.items() if kind in _names_of_kind(user_declaration)
    }
    if not users.isdisjoint({kind, ACCOUNT_KIND}) or any(resources[user].foreign for user in users):
        return frozenset()
    return frozenset(users)


class _Groups:
    """Groups of members: kinds and signals."""

    def __init__(self, members: Iterable[str]) -> None:
        self._group_of = {member: {member} for member in members}

    def join(self, members: Iterable[str]) -> None:
        """Merge the groups of these members."""
        merged = {other for member in members for other in self._group_of[member]}
        for member in merged:
            self._group_of[member] = merged

    def __iter__(self) -> Iterator[set[str]]:
        """Yield each group once, in the order of the members."""
        return iter({id(group): group for group in self._group_of.values()}.values())
