"""The turns of calls about single resources: an inventory makes all of a small cell, and some of a large one.

Many of AWS's APIs describe one resource a call. An inventory of a cell makes at most as many of these calls
as `CallTurns.limit` says. What is not read is as an earlier inventory read it; before that it is not known.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from collectors.errors import NotReadYetError

Value = TypeVar("Value")

MIN_CALLS = 120  # calls about single resources that an inventory of a cell may make in any case
MIN_SHARE_OF_WANTED = 1 / 10  # part of the wanted calls that it may make, if that is more
MIN_SHARE_OF_KNOWN = 1 / 4  # part of its turns that read what is known again, though much was never read
CARRY_STEP = 0.618  # spreads the first carries of services between 0 and 1
MAX_UNWANTED_RUNS = 6  # inventories of a service that do not want a call, after which it is forgotten


class Urgency(Enum):
    """The inventories in which a call is made."""

    IN_TURN = "in turn"  # when its turn comes: about a single resource
    ALWAYS = "always"  # in each inventory: about the whole account
    AT_ONCE = "at once"  # whether it is due or not: what was read last may be wrong


@dataclass(slots=True)
class Outcome:
    """The last value of a call, or the error that it raised.

    order: calls that were never made take their turns in this order. every: seconds for which a value is not
    read again. wanted_in, made_in: the last run that wanted it, and that made it; made_in is 0 outside of
    runs. in_turn: it needs a turn. made_at: when it was made, in epoch seconds; None: never. made: set once
    a call under way has ended.
    """

    order: int
    every: float = 0.0
    wanted_in: int = -1
    in_turn: bool = True
    made_in: int = 0
    made_at: float | None = None
    value: Any = None
    error: Exception | None = None
    made: asyncio.Event | None = None

    @property
    def due_at(self) -> float:
        """The time at which the call is to be made again, in epoch seconds."""
        return 0.0 if self.made_at is None else self.made_at + (0.0 if self.error else self.every)

    def is_due(self, now: float) -> bool:
        """Return whether the call is to be made again at this time."""
        return now >= self.due_at

    def get(self) -> Any:
        """Return the value, or raise the error. Raises NotReadYetError where the call was never made."""
        if self.error:
            raise self.error.with_traceback(None)
        if self.made_at is None:
            raise NotReadYetError("it waits for its turn to be read")
        return self.value

    async def read(self, read: Callable[[], Awaitable[Value]], now: float, run: int) -> Value:
        """Make the call, and remember what comes of it, unless it is cancelled."""
        self.made = made = asyncio.Event()
        try:
            value = await read()
            self.value, self.error, self.made_at, self.made_in = value, None, now, run
        except Exception as error:
            self.value, self.error, self.made_at, self.made_in = None, error, now, run
            raise
        finally:
            self.made = None
            made.set()
        return value


@dataclass(slots=True)
class CallTurns:
    """The calls about single resources of a cell, by the service that makes them.

    A round is one inventory of each service; the next one begins as soon as a service has another one.
    min_calls: the number of calls that a round may have in any case. most_new, most_known: the number of
    calls that each service may make in this round: of those never made, and of the others.
    """

    min_calls: int = MIN_CALLS
    round: int = 0
    most_new: float = math.inf
    most_known: float = math.inf
    services: dict[str, "ServiceTurns"] = field(default_factory=dict)

    def of(self, service: str) -> "ServiceTurns":
        """The calls of a service."""
        if service not in self.services:
            carry = len(self.services) * CARRY_STEP % 1
            self.services[service] = ServiceTurns(self, Share(carry), Share(carry))
        return self.services[service]

    def end(self, service: str) -> None:
        """End a run of a service; nothing is kept of one that made no calls."""
        if service in self.services and not self.services[service].outcomes:
            del self.services[service]

    @property
    def limit(self) -> int:
        """The number of calls that an inventory of the cell may make."""
        wanted = sum(service.new + service.known for service in self.services.values())
        return max(self.min_calls, math.ceil(wanted * MIN_SHARE_OF_WANTED))

    @property
    def has_spare(self) -> bool:
        """True if fewer calls are granted in this round than may be."""
        return sum(service.expected for service in self.services.values()) + 1 <= self.limit

    def begin_round(self) -> None:
        """Begin a round, by what all services want now."""
        services, limit = self.services.values(), self.limit
        all_new, all_known = sum(one.new for one in services), sum(one.known for one in services)
        for_new = min(all_new, limit - min(all_known, limit * MIN_SHARE_OF_KNOWN))
        self.most_new = fair_level(for_new, (one.new for one in services))
        self.most_known = fair_level(limit - for_new, (one.known for one in services))
        self.round += 1


def fair_level(limit: float, wanted: Iterable[int]) -> float:
    """Return how many each may have at most, so that all together have `limit`, and who wants few has all."""
    ordered = sorted(wanted)
    for number, one in enumerate(ordered):
        level = limit / (len(ordered) - number)
        if one > level:
            return level
        limit -= one
    return math.inf


@dataclass(slots=True)
class Share:
    """The share of a service in the calls. carry: the part of a call that a run leaves to the next one."""

    carry: float

    def of(self, wanted: int, max_average: float) -> int:
        """Return how many of the wanted calls one more run may make, with this maximum on the average."""
        if max_average >= wanted:
            return wanted
        whole = int(max_average + self.carry)
        self.carry += max_average - whole
        return whole


@dataclass(slots=True)
class ServiceTurns:
    """The calls about single resources of one service, and which of them its present inventory makes.

    A run is one inventory of the service. is_bounded: it makes no more calls than it is granted. round: of
    the last run. new, known: how many calls are to be made, as far as is known: never made, and made before.
    granted: how many this run may make. has_turn: by key of those that it wants, whether it is their turn,
    and they were not made yet.
    """

    cell: CallTurns
    new_share: Share
    known_share: Share
    outcomes: dict[Hashable, Outcome] = field(default_factory=dict)
    run: int = 0
    round: int = -1
    is_bounded: bool = False
    new: int = 0
    known: int = 0
    granted: int = 0
    has_turn: dict[Hashable, bool] = field(default_factory=dict)
    _next_order: int = 0

    def begin(self, now: float, *, is_bounded: bool) -> "ServiceTurns":
        """Begin a run, and choose the calls whose turn it is. now: in epoch seconds.

        Of those that were never made, it is the turn of those that were wanted first; of the others, of those
        that have been due longest.
        """
        if self.round == self.cell.round:
            self.cell.begin_round()
        self._forget_unwanted()
        due = {key: one for key, one in self.outcomes.items() if self._was_wanted(one) and one.is_due(now)}
        new = sorted((key for key in due if due[key].made_at is None), key=lambda key: due[key].order)
        known = sorted(due.keys() - new, key=lambda key: (due[key].due_at, due[key].order))
        self.run, self.round, self.is_bounded = self.run + 1, self.cell.round, is_bounded
        self.new, self.known = len(new), len(known)
        of_new = self.new_share.of(self.new, self.cell.most_new)
        of_known = self.known_share.of(self.known, self.cell.most_known)
        self.has_turn = dict.fromkeys(due, False) | dict.fromkeys([*new[:of_new], *known[:of_known]], True)
        self.granted = of_new + of_known
        return self

    @property
    def expected(self) -> float:
        """The number of calls that it may make in the cell's round, as far as is known."""
        if self.round == self.cell.round:
            return self.granted
        return min(self.new, self.cell.most_new) + min(self.known, self.cell.most_known)

    def _was_wanted(self, outcome: Outcome) -> bool:
        return outcome.in_turn and outcome.wanted_in == self.run

    def _forget_unwanted(self) -> None:
        oldest = self.run - MAX_UNWANTED_RUNS
        self.outcomes = {key: one for key, one in self.outcomes.items() if one.wanted_in >= oldest}
        for one in self.outcomes.values():
            if one.error:
                one.error.__traceback__ = one.error.__context__ = None  # would keep all of their frames

    async def read(
        self,
        key: Hashable,
        read: Callable[[], Awaitable[Value]],
        now: float,
        every: float = 0.0,
        urgency: Urgency = Urgency.IN_TURN,
    ) -> Value:
        """Return what `read` returns, or raise what it raises: now, or when it was last called for the key.

        every: seconds for which a value is used again.
        Raises NotReadYetError where it was never called, and it is not its turn.
        """
        outcome = self._want(key, every, urgency)
        if outcome.made:
            await outcome.made.wait()
        elif urgency is Urgency.AT_ONCE or self._is_to_be_made(key, outcome, now):
            self._count_made(key, outcome)
            return await outcome.read(read, now, self.run)
        return outcome.get()  # type: ignore[no-any-return]

    def takes_turn(self, key: Hashable, now: float, urgency: Urgency = Urgency.IN_TURN) -> bool:
        """Return whether a call is to be made in this run; it then counts as made, and nothing is kept."""
        outcome = self._want(key, 0.0, urgency)
        is_taken = urgency is Urgency.AT_ONCE or self._is_to_be_made(key, outcome, now)
        if is_taken:
            self._count_made(key, outcome)
            outcome.made_at, outcome.made_in = now, self.run
        return is_taken

    def read_before(self, key: Hashable) -> float | None:
        """Return when a call was made, in epoch seconds, if an earlier run made it; None otherwise."""
        outcome = self.outcomes.get(key)
        return outcome.made_at if outcome and not (self.run and outcome.made_in == self.run) else None

    def _want(self, key: Hashable, every: float, urgency: Urgency) -> Outcome:
        """Return the outcome of a call, which this run wants."""
        if key not in self.outcomes:
            self.outcomes[key] = Outcome(order=self._next_order)
            self._next_order += 1
        outcome = self.outcomes[key]
        outcome.wanted_in, outcome.every = self.run, every
        outcome.in_turn = urgency is not Urgency.ALWAYS
        return outcome

    def _is_to_be_made(self, key: Hashable, outcome: Outcome, now: float) -> bool:
        is_made = bool(self.run) and outcome.made_in == self.run
        if is_made or not outcome.is_due(now):
            return False
        if not (outcome.in_turn and self.is_bounded):
            return True
        if key in self.has_turn:
            return self.has_turn[key]
        return self._takes_spare(key, outcome)

    def _count_made(self, key: Hashable, outcome: Outcome) -> None:
        """Count a call that is made now: whether the next run wants it is known if that is each time."""
        if not (outcome.in_turn and self.is_bounded):
            return
        self.has_turn[key] = False
        if outcome.made_at is None:
            self.new -= 1
            self.known += not outcome.every
        else:
            self.known -= bool(outcome.every)

    def _takes_spare(self, key: Hashable, outcome: Outcome) -> bool:
        """Return whether a call that was not due before may be made, as fewer are granted than may be."""
        self.has_turn[key] = False
        if outcome.made_at is None:
            self.new += 1
        else:
            self.known += 1
        is_taken = self.cell.has_spare
        self.granted += is_taken
        return is_taken
