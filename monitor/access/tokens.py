"""Bearer tokens, compared in a time that does not tell which of them was nearly right."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from monitor.access.config import TokenConfig


class Tokens:
    """Those of the configuration, as digests: all of one length."""

    def __init__(self, entries: Sequence[TokenConfig]) -> None:
        self._entries = [(_digest(one.secret.get_secret_value().encode()), one) for one in entries]

    def find(self, offered: bytes) -> TokenConfig | None:
        """Whose token it is."""
        digest = _digest(offered)
        found = [one for ours, one in self._entries if hmac.compare_digest(ours, digest)]
        return found[0] if found else None


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
