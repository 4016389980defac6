"""The tracer of a process: it records a span of each run of a loop, each delivery and each request.

Without `tracing` in the configuration, no span is recorded and no tracing library is imported. The tracer
that records spans is in `monitor.tracing`.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

AttributeValue = str | int | float | bool


class Span(Protocol):
    """One recorded piece of work, which ends when its context exits."""

    def rename(self, name: str) -> None:
        """Replace the name of the span, if the name is known only after the start."""

    def set_attribute(self, name: str, value: AttributeValue) -> None:
        """Add a fact that is known only after the start."""

    def fail(self, reason: str) -> None:
        """Mark the work as failed. reason: a text without secrets."""


class Tracer(Protocol):
    """Records spans. Each span is a separate trace."""

    def span(
        self, name: str, attributes: Mapping[str, AttributeValue], *, is_request: bool = False
    ) -> AbstractContextManager[Span]:
        """Return a context whose duration is recorded. is_request: the work is a request of a client."""


class NoSpan:
    """The span of work that is not traced."""

    def rename(self, name: str) -> None:
        """Do nothing."""

    def set_attribute(self, name: str, value: AttributeValue) -> None:
        """Do nothing."""

    def fail(self, reason: str) -> None:
        """Do nothing."""


NOT_RECORDED: Final = nullcontext[Span](NoSpan())


class NoTracer:
    """The tracer that records nothing."""

    def span(
        self, name: str, attributes: Mapping[str, AttributeValue], *, is_request: bool = False
    ) -> AbstractContextManager[Span]:
        """Return a context that records nothing."""
        return NOT_RECORDED


NO_TRACER: Final = NoTracer()
