"""Decides which calls about single resources an inventory makes: all in a small cell, some in a large cell.

Many APIs of AWS describe one resource per call. An inventory of a cell makes at most `CallTurns.limit` of
these calls. A call that it does not make keeps its value from an earlier inventory, or has no value yet.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from collectors.errors import NotReadYetError

Value = TypeVar("Value")

MIN_CALLS = 120  # calls about single resources that an inventory of a cell may always make
MIN_SHARE_OF_WANTED = 1 / 10  # share of the wanted calls that may be made, if it is more than MIN_CALLS
MIN_SHARE_OF_KNOWN = 1 / 4  # share of an inventory's calls that repeat earlier calls, if there are new calls
CARRY_STEP = 0.618  # spreads the services' initial values of `Share.carry` between 0 and 1
# An outcome is forgotten if more than this many successive inventories of the service did not want the call.
MAX_UNWANTED_RUNS = 6


class Urgency(Enum):
    """Says in which inventories a call is made."""

    IN_TURN = "in turn"  # in the inventory in which its turn comes: a call about a single resource
    ALWAYS = "always"  # in each inventory: a call about the whole account
    AT_ONCE = "at once"  # in this inventory, even if it is not due: its last value may be wrong


@dataclass(slots=True)
class Outcome:
    """The last value of a call, or the error that it raised.

    order: calls that were never made take turns by ascending `order`. every: seconds for which a value is
    reused. wanted_in, made_in: the last run that wanted the call, and the last run that made it; made_in is 0
    if it was made outside of runs. in_turn: the call needs a turn. made_at: when the call was last made, in
    epoch seconds; None: never. ended: is set at the end of a call that is under way; None: none is.
    """

    order: int
    every: float = 0.0
    wanted_in: int = -1
    in_turn: bool = True
    made_in: int = 0
    made_at: float | None = None
    value: Any = None
    error: Exception | None = None
    ended: asyncio.Event | None = None

    @property
    def due_at(self) -> float:
        """The time at which the call is to be made again, in epoch seconds."""
        return 0.0 if self.made_at is None else self.made_at + (0.0 if self.error else self.every)

    def is_due(self, now: float) -> bool:
        """Return whether the call is to be made again at `now`."""
        return now >= self.due_at

    def get(self) -> Any:
        """Return the value, or raise the error. Raises NotReadYetError if the call was never made."""
        if self.error:
            raise self.error.with_traceback(None)
        if self.made_at is None:
            raise NotReadYetError("it waits for its turn to be read")
        return self.value

    async def read(self, read: Callable[[], Awaitable[Value]], now: float, run: int) -> Value:
        """Make the call, and store its value or error, unless it is cancelled."""
        self.ended = ended = asyncio.Event()
        try:
            value = await read()
            self.value, self.error, self.made_at, self.made_in = value, None, now, run
        except Exception as error:
            self.value, self.error, self.made_at, self.made_in = None, error, now, run
            raise
        finally:
            self.ended = None
            ended.set()
        return value


@dataclass(slots=True)
class CallTurns:
    """The calls that describe single resources in a cell, by the service that makes them.

    A round is one inventory of each service. The next round begins when a service begins a second inventory.
    New calls were never made; known calls were made before. min_calls: the number of calls that a round may
    always have. max_new, max_known: how many new calls, and how many known calls, each service may make in
    this round.
    """

    min_calls: int = MIN_CALLS
    round: int = 0
    max_new: float = math.inf
    max_known: float = math.inf
    services: dict[str, "ServiceTurns"] = field(default_factory=dict)

    def of(self, service: str) -> "ServiceTurns":
        """Return the `ServiceTurns` of a service, created if there is none."""
        if service not in self.services:
            carry = len(self.services) * CARRY_STEP % 1
            self.services[service] = ServiceTurns(self, Share(carry), Share(carry))
        return self.services[service]

    def end(self, service: str) -> None:
        """End a run of a service. A service without calls is removed."""
        if service in self.services and not self.services[service].outcomes:
            del self.services[service]

    @property
    def limit(self) -> int:
        """The number of calls that an inventory of the cell may make."""
        wanted = sum(service.new + service.known for service in self.services.values())
        return max(self.min_calls, math.ceil(wanted * MIN_SHARE_OF_WANTED))

    @property
    def has_spare(self) -> bool:
        """True if this round may grant another call."""
        return sum(service.expected for service in self.services.values()) + 1 <= self.limit

    def begin_round(self) -> None:
        """Begin a round, and set how many calls each service may make, by the calls that services want."""
        services, limit = self.services.values(), self.limit
        wanted_new = sum(turns.new for turns in services)
        wanted_known = sum(turns.known for turns in services)
        new_limit = min(wanted_new, limit - min(wanted_known, limit * MIN_SHARE_OF_KNOWN))
        self.max_new = fair_level(new_limit, (turns.new for turns in services))
        self.max_known = fair_level(limit - new_limit, (turns.known for turns in services))
        self.round += 1


def fair_level(limit: float, wanted: Iterable[int]) -> float:
    """Return the most calls that each service may have, so that all services together have `limit`.

    wanted: how many calls each service wants. Services that want few calls get all of them, and the other
    services get equal shares of the remaining calls. Infinite if all services get all that they want.
    """
    ordered = sorted(wanted)
    for served, count in enumerate(ordered):
        level = limit / (len(ordered) - served)
        if count > level:
            return level
        limit -= count
    return math.inf


@dataclass(slots=True)
class Share:
    """The share of a service in the calls. carry: the fraction of a call that one run leaves to the next."""

    carry: float

    def of(self, wanted: int, max_average: float) -> int:
        """Return how many of the wanted calls the next run may make, at most `max_average` on average."""
        if max_average >= wanted:
            return wanted
        whole = int(max_average + self.carry)
        self.carry += max_average - whole
        return whole


@dataclass(slots=True)
class ServiceTurns:
    """The calls about single resources of one service, and which of them its present inventory makes.

    A run is one inventory of the service. is_bounded: the run makes no more calls than it is granted. round:
    the round of the last run. new, known: how many new calls, and how many known calls, the next run is
    expected to want. granted: how many calls this run may make. has_turn: by key, whether the call has its
    turn in this run and was not made yet.
    """

    cell_turns: CallTurns
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

        New calls have their turns in the order in which they were first wanted; known calls, in the order in
        which they became due.
        """
        if self.round == self.cell_turns.round:
            self.cell_turns.begin_round()
        self._forget_unwanted()
        due = {
            key: outcome
            for key, outcome in self.outcomes.items()
            if self._was_wanted(outcome) and outcome.is_due(now)
        }
        new_calls = sorted((key for key in due if due[key].made_at is None), key=lambda key: due[key].order)
        known_calls = sorted(due.keys() - new_calls, key=lambda key: (due[key].due_at, due[key].order))
        self.run, self.round, self.is_bounded = self.run + 1, self.cell_turns.round, is_bounded
        self.new, self.known = len(new_calls), len(known_calls)
        granted_new = self.new_share.of(self.new, self.cell_turns.max_new)
        granted_known = self.known_share.of(self.known, self.cell_turns.max_known)
        chosen = [*new_calls[:granted_new], *known_calls[:granted_known]]
        self.has_turn = dict.fromkeys(due, False) | dict.fromkeys(chosen, True)
        self.granted = granted_new + granted_known
        return self

    @property
    def expected(self) -> float:
        """The number of calls that the service may make in the cell's round, as far as it is known now."""
        if self.round == self.cell_turns.round:
            return self.granted
        return min(self.new, self.cell_turns.max_new) + min(self.known, self.cell_turns.max_known)

    def _was_wanted(self, outcome: Outcome) -> bool:
        return outcome.in_turn and outcome.wanted_in == self.run

    def _forget_unwanted(self) -> None:
        oldest = self.run - MAX_UNWANTED_RUNS
        self.outcomes = {
            key: outcome for key, outcome in self.outcomes.items() if outcome.wanted_in >= oldest
        }
        for outcome in self.outcomes.values():
            if error := outcome.error:
                error.__traceback__ = error.__context__ = None  # tracebacks keep their frames in memory

    async def read(
        self,
        key: Hashable,
        read: Callable[[], Awaitable[Value]],
        now: float,
        every: float = 0.0,
        urgency: Urgency = Urgency.IN_TURN,
    ) -> Value:
        """Return the value of a call, or raise its error. The call is made now, or the last outcome is used.

        every: seconds for which a value is reused.
        Raises NotReadYetError if `read` was never called for the key, and the key does not have its turn now.
        """
        outcome = self._want(key, every, urgency)
        if outcome.ended:
            await outcome.ended.wait()
        elif urgency is Urgency.AT_ONCE or self._is_to_be_made(key, outcome, now):
            self._count_made(key, outcome)
            return await outcome.read(read, now, self.run)
        return outcome.get()  # type: ignore[no-any-return]

    def may_call_now(self, key: Hashable, now: float, urgency: Urgency = Urgency.IN_TURN) -> bool:
        """Return whether a call is to be made in this run. It then counts as made; no value is stored."""
        outcome = self._want(key, 0.0, urgency)
        is_made_now = urgency is Urgency.AT_ONCE or self._is_to_be_made(key, outcome, now)
        if is_made_now:
            self._count_made(key, outcome)
            outcome.made_at, outcome.made_in = now, self.run
        return is_made_now

    def made_earlier_at(self, key: Hashable) -> float | None:
        """Return when a call was last made, in epoch seconds; None if never, or if that was in this run."""
        outcome = self.outcomes.get(key)
        return None if outcome is None or self._was_made_in_this_run(outcome) else outcome.made_at

    def _was_made_in_this_run(self, outcome: Outcome) -> bool:
        return self.run > 0 and outcome.made_in == self.run  # run 0: no run has begun

    def _want(self, key: Hashable, every: float, urgency: Urgency) -> Outcome:
        """Record that this run wants a call, and return the outcome of the call."""
        if key not in self.outcomes:
            self.outcomes[key] = Outcome(order=self._next_order)
            self._next_order += 1
        outcome = self.outcomes[key]
        outcome.wanted_in, outcome.every = self.run, every
        outcome.in_turn = urgency is not Urgency.ALWAYS
        return outcome

    def _is_to_be_made(self, key: Hashable, outcome: Outcome, now: float) -> bool:
        """Return whether a call is to be made now. A call without a turn may take one of the spare calls."""
        if self._was_made_in_this_run(outcome) or not outcome.is_due(now):
            return False
        if not (outcome.in_turn and self.is_bounded):
            return True
        if key in self.has_turn:
            return self.has_turn[key]
        return self._take_spare(key, outcome)

    def _count_made(self, key: Hashable, outcome: Outcome) -> None:
        """Update the counts for a call that is made now; the next run wants it again if `every` is 0."""
        if not (outcome.in_turn and self.is_bounded):
            return
        self.has_turn[key] = False
        is_wanted_by_next_run = not outcome.every
        if outcome.made_at is None:
            self.new -= 1
            self.known += is_wanted_by_next_run
        elif not is_wanted_by_next_run:
            self.known -= 1

    def _take_spare(self, key: Hashable, outcome: Outcome) -> bool:
        """Count a call that has no turn; return whether it may be made, as the round has calls to spare."""
        self.has_turn[key] = False
        if outcome.made_at is None:
            self.new += 1
        else:
            self.known += 1
        is_made_now = self.cell_turns.has_spare
        self.granted += is_made_now
        return is_made_now
