"""Access to the stream's endpoint: the keys and the senders that it accepts."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FirehoseAccess:
    """The access keys and the senders that are accepted.

    keys: a request needs one of these keys; if there are none, all requests are rejected. sources: the
    accounts, or ARNs of delivery streams, that are accepted; empty for all. The sender states its own ARN, so
    that `sources` is no protection: it only rejects misconfigured delivery streams.
    """

    keys: Sequence[str] = field(default=(), repr=False)
    sources: Sequence[str] = ()

    def accepts_key(self, key: str) -> bool:
        """Return whether an access key is accepted, in a time that depends only on the key's length."""
        key_bytes = key.encode("utf-8", "replace")
        matches = [hmac.compare_digest(accepted.encode(), key_bytes) for accepted in self.keys if accepted]
        return any(matches)  # a generator would stop at the first match

    def accepts_source(self, arn: str) -> bool:
        """Return whether the delivery stream with an ARN is accepted."""
        account = ":".join(arn.split(":")[4:5])
        return not self.sources or arn in self.sources or account in self.sources
