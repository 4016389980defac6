"""Signatures of Standard Webhooks, with which a receiver can verify the sender.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from monitor.schema.problems import problem
from monitor.schema.secrets import Secret

SECRET_PREFIX = "whsec_"
KEY_SIZES = range(24, 65)  # bytes


def _check_signing_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        is_valid = (
            text.startswith(SECRET_PREFIX)
            and len(b64decode(text[len(SECRET_PREFIX) :], validate=True)) in KEY_SIZES
        )
    except ValueError:
        is_valid = False
    if not is_valid:
        raise problem("expected whsec_ and the base64 of 24 to 64 random bytes (value not shown)")
    return secret


SigningSecret = Annotated[Secret, AfterValidator(_check_signing_secret)]


def signed_headers(id: str, timestamp: int, body: bytes, secret: SecretStr | None) -> dict[str, str]:
    """Return the headers of Standard Webhooks. The id must be the same in every attempt.

    timestamp: epoch seconds. Without a secret there is no signature.
    """
    headers = {"webhook-id": id, "webhook-timestamp": str(timestamp)}
    if secret:
        key = b64decode(secret.get_secret_value().removeprefix(SECRET_PREFIX))
        digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = "v1," + b64encode(digest).decode()
    return headers
