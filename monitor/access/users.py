"""Users and their passwords. A password costs time to check, so what was right is remembered for a while."""

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b, sha256

from pydantic import SecretStr

from monitor.access.claims import Refused
from monitor.access.config import UserConfig
from monitor.access.passwords import PasswordHash

MOST_KEPT = 1000  # pairs that were right
MOST_WAITING = 16  # requests that wait for their turn; one password is checked at a time


class Users:
    """Those of the configuration."""

    def __init__(self, entries: Sequence[UserConfig]) -> None:
        self._entries = {one.name.encode(): (one.secret, one) for one in entries}
        self._key = secrets.token_bytes()  # so that what is remembered tells nothing of passwords
        self._right: OrderedDict[bytes, UserConfig] = OrderedDict()
        self._turn, self._waiting = asyncio.Lock(), 0

    async def find(self, name: bytes, password: bytes) -> UserConfig | None:
        """The user, when it is their password. Raises Refused (503) when too many are being checked."""
        if not self._entries:
            return None
        digest = blake2b(len(name).to_bytes(2) + name + password, key=self._key).digest()
        if known := self._right.get(digest):
            return known
        if self._waiting >= MOST_WAITING:
            raise Refused(503, "busy", "too many passwords are being checked; try again in a few seconds")
        self._waiting += 1
        try:
            async with self._turn:
                return self._right.get(digest) or await self._checked(name, password, digest)
        finally:
            self._waiting -= 1

    async def _checked(self, name: bytes, password: bytes, digest: bytes) -> UserConfig | None:
        """An unknown user takes as long as a known one."""
        secret, entry = self._entries.get(name) or next(iter(self._entries.values()))
        right = await asyncio.to_thread(_is, secret, password)
        if not right or name not in self._entries:
            return None
        self._right[digest] = entry
        while len(self._right) > MOST_KEPT:
            self._right.popitem(last=False)
        return entry


def _is(secret: SecretStr | PasswordHash, password: bytes) -> bool:
    if isinstance(secret, PasswordHash):
        return secret.matches(password)
    ours = secret.get_secret_value().encode()
    return hmac.compare_digest(sha256(ours).digest(), sha256(password).digest())
