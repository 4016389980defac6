"""Who asks, as the rest of the server sees them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from monitor.access.role import Role

KEY = "visitor"  # of a request's scope


def _always(_: object) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who was let in.

    name: None where nobody asked for it. by: what of the configuration let them in. until: epoch seconds.
    may_log_in: whether saying who they are could get them further. holds: whether `by` still lets them in.
    """

    name: str | None = None
    role: Role = Role.OPERATE
    by: object = None
    until: float = inf
    may_log_in: bool = False
    holds: Callable[[object], bool] = _always

    @property
    def admitted(self) -> bool:
        """Whether they still are, now: a token may have expired, and a new configuration may know less."""
        return time.time() < self.until and self.holds(self.by)

    @property
    def operates(self) -> bool:
        """Whether acting is offered to them; somebody unknown may still say who they are."""
        return self.role.covers(Role.OPERATE) or self.may_log_in

    def signed(self, who: str) -> str:
        """The name that something goes by which they do as `who`: nobody does it in another's name."""
        said = " ".join(who.split())
        if self.name is None:
            return said
        return self.name if said in ("", self.name) else f"{self.name} ({said})"


ANYBODY = Visitor()


def visitor_of(scope: Mapping[str, Any]) -> Visitor:
    """Who sends a request; anybody, where nobody is asked."""
    visitor: Visitor = scope.get(KEY, ANYBODY)
    return visitor
