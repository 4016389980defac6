"""Passwords as they are kept: scrypt (RFC 7914), written as a PHC string.

https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
"""

import binascii
import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Self

# Of the costs that OWASP finds equal, the one with 16 MiB; about 0.2 s.
# https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt
LOG_N, R, P = 14, 8, 5
SALT, DIGEST = 16, 32  # bytes
LEAST, MOST = 8, 64  # bytes of a salt or digest that are accepted
LARGEST_MEMORY = 256 * 2**20  # bytes
LARGEST_P = 16

FORM = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9]{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """One password, that only guessing tells: N is 2**log_n."""

    log_n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str) -> Self:
        """A new one, with a salt of its own. Blocks for about 0.2 s."""
        salt = secrets.token_bytes(SALT)
        return cls(LOG_N, R, P, salt, _scrypt(password.encode(), salt, (LOG_N, R, P), DIGEST))

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `str` wrote. Raises ValueError for anything else, and for what takes too much memory."""
        found = FORM.fullmatch(text)
        if not found:
            raise ValueError("not of the form $scrypt$ln=14,r=8,p=5$salt$digest")
        log_n, r, p = (int(part) for part in found.groups()[:3])
        salt, digest = (_decoded(part) for part in found.groups()[3:])
        if not (0 < log_n < 16 * r and 0 < p <= LARGEST_P and 128 * r * 2**log_n <= LARGEST_MEMORY):
            raise ValueError("not of a cost that is possible and sensible")
        if not all(LEAST <= len(part) <= MOST for part in (salt, digest)):
            raise ValueError("not of a length that is safe")
        return cls(log_n, r, p, salt, digest)

    def __str__(self) -> str:
        salt, digest = (b64encode(part).decode().rstrip("=") for part in (self.salt, self.digest))
        return f"$scrypt$ln={self.log_n},r={self.r},p={self.p}${salt}${digest}"

    def matches(self, password: bytes) -> bool:
        """Whether it is this password. Blocks for as long as the cost says."""
        made = _scrypt(password, self.salt, (self.log_n, self.r, self.p), len(self.digest))
        return hmac.compare_digest(made, self.digest)


def _scrypt(password: bytes, salt: bytes, cost: tuple[int, int, int], length: int) -> bytes:
    log_n, r, p = cost
    memory = 128 * r * (2**log_n + p + 2)
    return hashlib.scrypt(password, salt=salt, n=2**log_n, r=r, p=p, maxmem=memory, dklen=length)


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not of base64") from error
