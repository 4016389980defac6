"""The tracer of a process: it records a span of each run of a loop, each delivery and each request.

Without `tracing` in the configuration nothing is recorded and no library for it is imported; what records
spans is in `monitor.tracing`.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

AttributeValue = str | int | float | bool


class Span(Protocol):
    """One recorded piece of work. Its end is that of the context."""

    def rename(self, name: str) -> None:
        """Replace the name, where it is known late only."""

    def set_attribute(self, name: str, value: AttributeValue) -> None:
        """Add a fact that is known late only."""

    def fail(self, reason: str) -> None:
        """Mark the work as failed. reason: without secrets."""


class Tracer(Protocol):
    """Records spans. Each is a trace of its own."""

    def span(
        self, name: str, attributes: Mapping[str, AttributeValue], *, is_request: bool = False
    ) -> AbstractContextManager[Span]:
        """Return a context whose duration is recorded. is_request: of a client to this process."""


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
    """The tracer where nothing is traced."""

    def span(
        self, name: str, attributes: Mapping[str, AttributeValue], *, is_request: bool = False
    ) -> AbstractContextManager[Span]:
        """Return a context that records nothing."""
        return NOT_RECORDED


NO_TRACER: Final = NoTracer()
