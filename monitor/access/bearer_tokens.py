"""Bearer tokens, compared in constant time."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from monitor.access.settings import TokenConfig


class BearerTokens:
    """The configured tokens, stored as digests of equal length."""

    def __init__(self, entries: Sequence[TokenConfig]) -> None:
        self._entries = [(_digest(entry.secret.get_secret_value().encode()), entry) for entry in entries]

    def find(self, token: bytes) -> TokenConfig | None:
        """Return the entry with this token, or None."""
        digest = _digest(token)
        matching = [
            entry for stored_digest, entry in self._entries if hmac.compare_digest(stored_digest, digest)
        ]
        return matching[0] if matching else None


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
