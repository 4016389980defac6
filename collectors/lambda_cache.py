"""A cache of the concurrency settings of Lambda functions, which chooses the functions to query again.

The settings of a function take two calls, and all tools of an account share 15 calls per second, so results
are cached. The revision of a function (ListFunctions) changes with the function, but AWS does not document
that it changes with the reserved or provisioned concurrency, too. So all functions are queried again once the
total of the reservations changes (GetAccountSettings), and a few functions with the oldest results in each
inventory.

If the known reservations add up to the total, no other function has a reservation, except functions that are
stopped by a reservation of 0. If the total is 0, functions are queried gradually, a few in each inventory.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MIN_CACHE_SECONDS = 3600.0  # seconds until a result expires, unless the function or the total changes
MIN_REFRESHED_FUNCTIONS = 25  # expired results that are refreshed per inventory, at least
MAX_INVENTORIES_TO_REFRESH_ALL = 12  # inventories within which all expired results are refreshed
MAX_ASSUMED_RESERVATIONS = 50  # functions without a result that are assumed to have a reservation

ProvisionedConfig = dict[str, Any]  # members of a ProvisionedConcurrencyConfigListItem of the API


class ReservedFunctions(NamedTuple):
    """The functions that have a reservation.

    names: None while too many reservations are unknown. is_certain: False if some of these functions may have
    no reservation.
    """

    names: Sequence[str] | None
    is_certain: bool = True


@dataclass(slots=True)
class FunctionState:
    """The result of the last query of a function.

    revision: the revision of the function at that time; None: query it again. queried_at: the time of the
    query in seconds, by the same clock as `now` of `functions_to_query`. reserved: its reserved concurrency;
    None: it has no reservation. provisioned: its provisioned concurrency. listed_revision: the revision when
    `provisioned` was listed; None: list it again. is_listed: whether `provisioned` was listed at least once.
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

    by_name: the query results so far. revisions: the revisions of all functions that exist, by name.
    total_reserved: the reserved concurrency of all functions together. is_complete: whether an inventory has
    ended in which no function waited for its first query.
    """

    by_name: dict[str, FunctionState] = field(default_factory=dict)
    revisions: Mapping[str, str] = field(default_factory=dict)
    total_reserved: int | None = None
    is_complete: bool = False

    def set_total_reserved(self, reserved: int | None) -> None:
        """Set the total of the reservations. None, a total that could not be read, changes nothing."""
        if reserved is None or reserved == self.total_reserved:
            return
        self.total_reserved = reserved
        for state in self.by_name.values():
            state.revision = state.listed_revision = None

    def set_revisions(self, revisions: Mapping[str, str]) -> None:
        """Set the functions that exist, each with its revision."""
        self.revisions = revisions
        self.by_name = {name: state for name, state in self.by_name.items() if name in revisions}

    def functions_to_query(self, now: float) -> Sequence[str]:
        """Return the functions to query, new functions first. now: in seconds."""
        share_of_all = math.ceil(len(self.revisions) / MAX_INVENTORIES_TO_REFRESH_ALL)
        max_refreshed = max(MIN_REFRESHED_FUNCTIONS, share_of_all)
        changed = sorted(self._changed(), key=lambda name: name in self.by_name)
        expired = {
            name for name, state in self.by_name.items() if now - state.queried_at >= MIN_CACHE_SECONDS
        }
        oldest_first = sorted(expired - {*changed}, key=lambda name: self.by_name[name].queried_at)
        if self.total_reserved == 0:
            return [*changed, *oldest_first][:max_refreshed]
        return [*changed, *oldest_first[:max_refreshed]]

    def _changed(self) -> Iterator[str]:
        for name, revision in self.revisions.items():
            if name not in self.by_name or self.by_name[name].revision != revision:
                yield name

    def record_reserved(self, name: str, reserved: int | None, now: float) -> None:
        """Record the reservation of a function; its provisioned concurrency is to be listed next."""
        state = self.by_name.setdefault(name, FunctionState(None, now, reserved))
        state.revision, state.queried_at, state.reserved = self.revisions[name], now, reserved
        state.listed_revision = None

    def functions_to_list(self) -> Sequence[str]:
        """Return the functions with a query result whose provisioned concurrency is to be listed."""
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

    def results_except(self, names: Iterable[str]) -> Iterator[tuple[str, FunctionState]]:
        """Return the names and results of all functions except these."""
        excluded = set(names)
        return ((name, state) for name, state in self.by_name.items() if name not in excluded)

    def reserved_functions(self) -> ReservedFunctions:
        """Return the functions that have a reservation, as far as this is known.

        Once the known reservations add up to the total, no other function has a reservation. Until then, a
        function that was never queried, or not since the total changed, is assumed to have a reservation.
        """
        states = self.by_name.items()
        reserved = {name: state.reserved for name, state in states if state.reserved is not None}
        if sum(reserved.values()) == self.total_reserved:
            return ReservedFunctions(sorted(reserved))
        assumed = {name for name in self.revisions if not self._has_current_result(name)}
        if not self.is_complete or len(assumed) > MAX_ASSUMED_RESERVATIONS:
            return ReservedFunctions(None, is_certain=False)
        return ReservedFunctions(sorted({*reserved, *assumed}), is_certain=not assumed)

    def _has_current_result(self, name: str) -> bool:
        """Return whether a function was queried since the total of the reservations changed."""
        state = self.by_name.get(name)
        return state is not None and state.revision is not None
