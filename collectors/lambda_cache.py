"""A cache of the concurrency settings of Lambda functions, which chooses the functions to query again.

A function takes two calls, and all tools of an account share 15 calls per second, so results are cached. The
revision of a function (ListFunctions) changes with the function, but AWS does not document that it changes
with the reserved or provisioned concurrency, too. So all functions are queried again once the total of the
reservations changes (GetAccountSettings), and a few of the oldest in each inventory.

Where the reservations that are known add up to the total, no other function has one, except those that are
stopped by a reservation of 0. Where the total is 0, functions are queried gradually, a few in each inventory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MIN_CACHE_SECONDS = 3600.0  # until a result expires, unless the function or the total changes
MIN_REFRESHED_FUNCTIONS = 25  # expired results that are refreshed per inventory, at least
MAX_INVENTORIES_TO_REFRESH_ALL = 12  # inventories within which all expired results are refreshed
MAX_ASSUMED_RESERVATIONS = 50  # functions without a result that are assumed to have a reservation

ProvisionedConfig = dict[str, Any]  # members of a ProvisionedConcurrencyConfigListItem of the API


class ReservedFunctions(NamedTuple):
    """The functions that have a reservation.

    names: None while too many are unknown. is_certain: False if some of these may have none.
    """

    names: Sequence[str] | None
    is_certain: bool = True


@dataclass(slots=True)
class FunctionState:
    """The result of the last query of a function.

    revision: the revision of the function at that time; None: query it again. queried_at: in seconds, as
    `now` of `to_query`. reserved: its reserved concurrency; None: it has no reservation. listed_revision: the
    revision when its provisioned concurrency was listed; None: list it again. is_listed: it was listed once.
    """

    revision: str | None
    queried_at: float
    reserved: int | None
    provisioned: Sequence[ProvisionedConfig] = ()
    listed_revision: str | None = None
    is_listed: bool = False


@dataclass(slots=True)
class FunctionCache:
    """The functions of an account in a region.

    by_name: the results so far. revisions: the revisions of all functions that exist, by name.
    total_reserved: the reserved concurrency of all functions together. is_complete: an inventory has ended
    in which no function waited for its first query.
    """

    by_name: dict[str, FunctionState] = field(default_factory=dict)
    revisions: Mapping[str, str] = field(default_factory=dict)
    total_reserved: int | None = None
    is_complete: bool = False

    def set_total_reserved(self, reserved: int | None) -> None:
        """Set the total of the reservations; None, for one that could not be read, changes nothing."""
        if reserved is None or reserved == self.total_reserved:
            return
        self.total_reserved = reserved
        for state in self.by_name.values():
            state.revision = state.listed_revision = None

    def set_revisions(self, revisions: Mapping[str, str]) -> None:
        """Set the functions that exist, each with its revision."""
        self.revisions = revisions
        self.by_name = {name: state for name, state in self.by_name.items() if name in revisions}

    def to_query(self, now: float) -> Sequence[str]:
        """The functions to query, new ones first. now: in seconds."""
        max_old = max(MIN_REFRESHED_FUNCTIONS, -(-len(self.revisions) // MAX_INVENTORIES_TO_REFRESH_ALL))
        changed = sorted(self._changed(), key=lambda name: name in self.by_name)
        old = [name for name, state in self.by_name.items() if now - state.queried_at >= MIN_CACHE_SECONDS]
        old = sorted(set(old) - set(changed), key=lambda name: self.by_name[name].queried_at)
        if self.total_reserved == 0:
            return [*changed, *old][:max_old]
        return [*changed, *old[:max_old]]

    def _changed(self) -> Iterator[str]:
        for name, revision in self.revisions.items():
            if name not in self.by_name or self.by_name[name].revision != revision:
                yield name

    def record_reserved(self, name: str, reserved: int | None, now: float) -> None:
        """Record the reservation of a function, whose provisioned concurrency is to be listed then."""
        state = self.by_name.setdefault(name, FunctionState(None, now, reserved))
        state.revision, state.queried_at, state.reserved = self.revisions[name], now, reserved
        state.listed_revision = None

    def to_list(self) -> Sequence[str]:
        """The functions whose reservation is known, and whose provisioned concurrency is to be listed."""
        return [
            name
            for name, state in self.by_name.items()
            if state.listed_revision is None or state.listed_revision != self.revisions[name]
        ]

    def record_provisioned(self, name: str, provisioned: Sequence[ProvisionedConfig]) -> None:
        """Record the provisioned concurrency of a function."""
        if state := self.by_name.get(name):
            state.listed_revision, state.provisioned = self.revisions[name], provisioned
            state.is_listed = True

    def known_except(self, names: Iterable[str]) -> Iterator[tuple[str, FunctionState]]:
        """The results of all functions but these."""
        excluded = set(names)
        return ((name, state) for name, state in self.by_name.items() if name not in excluded)

    def reserved_functions(self) -> ReservedFunctions:
        """The functions that have a reservation, as far as known.

        No other function has one once those that are known add up to the total. Until then a function that
        was not queried since the total changed, or never, is assumed to have one.
        """
        states = self.by_name.items()
        reserved = {name: state.reserved for name, state in states if state.reserved is not None}
        if sum(reserved.values()) == self.total_reserved:
            return ReservedFunctions(sorted(reserved))
        unknown = {name for name in self.revisions if not self._is_known(name)}
        if not self.is_complete or len(unknown) > MAX_ASSUMED_RESERVATIONS:
            return ReservedFunctions(None, is_certain=False)
        return ReservedFunctions(sorted({*reserved, *unknown}), is_certain=not unknown)

    def _is_known(self, name: str) -> bool:
        state = self.by_name.get(name)
        return state is not None and state.revision is not None
