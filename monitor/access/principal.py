"""The principal of a request: the user or program that sends it, and its role."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from monitor.access.roles import Role

SCOPE_KEY = "principal"  # in the scope of an ASGI request


def _always(_: "Principal") -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated user or program, or an anonymous client.

    name: None when anonymous. granted_by: the entry of the settings that authenticated the client.
    expires_at: epoch seconds. can_log_in: true if an anonymous client could get another role by logging in.
    is_still_granted: returns whether the current settings still authenticate a principal.
    """

    name: str | None = None
    role: Role = Role.OPERATE
    granted_by: object = None
    expires_at: float = inf
    can_log_in: bool = False
    is_still_granted: Callable[["Principal"], bool] = _always

    @property
    def is_valid(self) -> bool:
        """True until the entry that authenticated the principal expires or is removed."""
        return self.is_still_granted(self)

    @property
    def sees_forms(self) -> bool:
        """True if pages have forms: the client has the role operate, or could get another role by a login."""
        return self.role.covers(Role.OPERATE) or self.can_log_in

    def author_name(self, author: str) -> str:
        """Return the author to record for an action.

        author: the name that the client gave. The authenticated name is always included: if ada gives the
        name bob, `ada (bob)` is recorded.
        """
        claimed_name = " ".join(author.split())
        if self.name is None:
            return claimed_name
        return self.name if claimed_name in ("", self.name) else f"{self.name} ({claimed_name})"


ANONYMOUS = Principal()


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """Return the principal of a request; ANONYMOUS if the request was exempt from authentication."""
    principal: Principal = scope.get(SCOPE_KEY, ANONYMOUS)
    return principal
