"""The CSRF token of forms, which proves that a form was sent from a page of this server.

https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import secrets
from typing import Protocol

TOKEN_BYTES = 32


class FormTokenStore(Protocol):
    """Stores the token of forms. Replicas that serve the same pages must share a store."""

    def token(self) -> str:
        """Return the token to put into a form."""

    def is_valid(self, token: str) -> bool:
        """Return whether `token` is the token of forms, in constant time."""


class ProcessFormTokenStore:
    """A store with one random token per process, so that a restart invalidates the forms of open pages."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(TOKEN_BYTES)

    def token(self) -> str:
        """Return the token to put into a form."""
        return self._token

    def is_valid(self, token: str) -> bool:
        """Return whether `token` is the token of forms, in constant time."""
        return secrets.compare_digest(token.encode(errors="replace"), self._token.encode())
