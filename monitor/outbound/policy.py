"""The rules for outgoing connections."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """The rules for connections to one receiver.

    allow_insecure: permits connections without TLS. allow_private: permits addresses outside of the public
    network. timeout: seconds for a whole attempt. secrets: texts that are redacted from responses.
    """

    allow_insecure: bool = False
    allow_private: bool = False
    timeout: float = 10.0
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
