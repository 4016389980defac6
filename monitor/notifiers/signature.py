"""Signatures of Standard Webhooks, by which a receiver knows who sent what it got.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from monitor.config_errors import problem
from monitor.notifiers.secrets import Secret

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)


def _signing(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        good = text.startswith(PREFIX) and len(b64decode(text[len(PREFIX) :], validate=True)) in KEY_BYTES
    except ValueError:
        good = False
    if not good:
        raise problem("expected whsec_ and the base64 of 24 to 64 random bytes (value not shown)")
    return secret


SigningSecret = Annotated[Secret, AfterValidator(_signing)]


def signed(id: str, timestamp: int, body: bytes, secret: SecretStr | None) -> dict[str, str]:
    """The headers of Standard Webhooks: the same id in every attempt; a signature where there is a secret."""
    headers = {"webhook-id": id, "webhook-timestamp": str(timestamp)}
    if secret:
        key = b64decode(secret.get_secret_value().removeprefix(PREFIX))
        digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = "v1," + b64encode(digest).decode()
    return headers
