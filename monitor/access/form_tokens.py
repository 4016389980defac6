"""The CSRF token of forms, which proves that a page of this server sent them.

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
    """Has a random token per process: forms of pages that were opened before a restart are refused."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(TOKEN_BYTES)

    def token(self) -> str:
        """Return the token to put into a form."""
        return self._token

    def is_valid(self, token: str) -> bool:
        """Return whether `token` is the token of forms, in constant time."""
        return secrets.compare_digest(token.encode(errors="replace"), self._token.encode())
