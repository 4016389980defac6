"""Password hashes: scrypt (RFC 7914), written as PHC strings.

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

# The cost parameters that OWASP recommends for 16 MiB of memory; a check takes about 0.2 s.
# https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt
LOG_N, R, P = 14, 8, 5
SALT_BYTES, DIGEST_BYTES = 16, 32
MIN_PART_BYTES, MAX_PART_BYTES = 8, 64  # accepted sizes of a salt or digest
MAX_MEMORY = 256 * 2**20  # bytes
MAX_P = 16

PHC_PATTERN = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9]{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """The scrypt hash of one password; the parameter N of scrypt is 2**log_n."""

    log_n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str) -> Self:
        """Hash a password with a new salt. Blocks for about 0.2 s."""
        salt = secrets.token_bytes(SALT_BYTES)
        return cls(LOG_N, R, P, salt, _scrypt(password.encode(), salt, (LOG_N, R, P), DIGEST_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the output of `str`. Raises ValueError for other text, or a cost or size out of bounds."""
        match = PHC_PATTERN.fullmatch(text)
        if not match:
            raise ValueError("not of the form $scrypt$ln=14,r=8,p=5$salt$digest")
        log_n, r, p = (int(part) for part in match.groups()[:3])
        salt, digest = (_decode(part) for part in match.groups()[3:])
        if not (0 < log_n < 16 * r and 0 < p <= MAX_P and 128 * r * 2**log_n <= MAX_MEMORY):
            raise ValueError("with a cost out of range")
        if not all(MIN_PART_BYTES <= len(part) <= MAX_PART_BYTES for part in (salt, digest)):
            raise ValueError(
                f"with a salt or digest that is not {MIN_PART_BYTES} to {MAX_PART_BYTES} bytes long"
            )
        return cls(log_n, r, p, salt, digest)

    @property
    def cost(self) -> tuple[int, int, int]:
        """The parameters that determine how long a check takes."""
        return self.log_n, self.r, self.p

    def __str__(self) -> str:
        salt, digest = (b64encode(part).decode().rstrip("=") for part in (self.salt, self.digest))
        return f"$scrypt$ln={self.log_n},r={self.r},p={self.p}${salt}${digest}"

    def matches(self, password: bytes) -> bool:
        """Return whether this is the hash of `password`. Blocks for a time that depends on the cost."""
        digest = _scrypt(password, self.salt, (self.log_n, self.r, self.p), len(self.digest))
        return hmac.compare_digest(digest, self.digest)


def _scrypt(password: bytes, salt: bytes, cost: tuple[int, int, int], length: int) -> bytes:
    log_n, r, p = cost
    memory = 128 * r * (2**log_n + p + 2)
    return hashlib.scrypt(password, salt=salt, n=2**log_n, r=r, p=p, maxmem=memory, dklen=length)


def _decode(text: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("with a salt or digest that is not base64") from error
