"""Users and their passwords. Checking a password is expensive, so correct passwords are cached."""

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Collection, Sequence
from hashlib import blake2b, sha256

from pydantic import SecretStr

from monitor.access.credentials import AccessDeniedError
from monitor.access.fair_queue import FairQueue, QueueFullError
from monitor.access.passwords import PasswordHash
from monitor.access.settings import UserConfig

MAX_CACHED = 1000  # correct pairs of name and password

StoredSecret = SecretStr | PasswordHash


class Users:
    """The users of the settings. One password is checked at a time: see `FairQueue`.

    max_cached: the number of correct pairs of name and password that are cached.
    """

    def __init__(self, entries: Sequence[UserConfig], max_cached: int = MAX_CACHED) -> None:
        self._entries = {user.name.encode(): (user.secret, user) for user in entries}
        self._key = secrets.token_bytes()  # random, so that the cache reveals no password
        self._cache: OrderedDict[bytes, UserConfig] = OrderedDict()
        self._max_cached = max_cached
        self._queue = FairQueue()
        hashes = [secret for secret, _ in self._entries.values() if isinstance(secret, PasswordHash)]
        # One hash of each cost: see `_matches`.
        self._decoys = {password_hash.cost: password_hash for password_hash in hashes}

    async def find(self, name: bytes, password: bytes, client: str = "") -> UserConfig | None:
        """Return the user with this name and password; None if either is wrong.

        client: the address of the client. Raises AccessDeniedError (429) when too many
        passwords are waiting to be checked.
        """
        if not self._entries:
            return None
        digest = blake2b(len(name).to_bytes(2) + name + password, key=self._key).digest()
        if user := self._cache.get(digest):
            return user
        try:
            async with self._queue.turn(client, name):
                return self._cache.get(digest) or await self._check(name, password, digest)
        except QueueFullError:
            sentence = "too many passwords are being checked; try again in a few seconds"
            raise AccessDeniedError(429, "busy", sentence) from None

    async def _check(self, name: bytes, password: bytes, digest: bytes) -> UserConfig | None:
        """Check a password, in a time that does not depend on whether the name is known."""
        secret, entry = self._entries.get(name, (None, None))
        is_correct = await asyncio.to_thread(_matches, secret, password, self._decoys.values())
        if not is_correct or entry is None:
            return None
        self._cache[digest] = entry
        while len(self._cache) > self._max_cached:
            self._cache.popitem(last=False)
        return entry


def _matches(secret: StoredSecret | None, password: bytes, decoys: Collection[PasswordHash]) -> bool:
    """Return whether a password matches a secret.

    decoys: one hash of each cost. A hash of each cost is computed, so that the time reveals no name.
    """
    is_correct = False
    for decoy in decoys:
        own_hash = secret if isinstance(secret, PasswordHash) and secret.cost == decoy.cost else None
        is_correct |= (own_hash or decoy).matches(password) and own_hash is not None
    # Without a stored password, a random one is compared, which takes as long.
    stored = secret.get_secret_value().encode() if isinstance(secret, SecretStr) else secrets.token_bytes()
    return is_correct | hmac.compare_digest(sha256(stored).digest(), sha256(password).digest())
