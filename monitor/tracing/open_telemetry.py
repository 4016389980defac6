"""Records spans with the SDK of OpenTelemetry, and exports them by OTLP over HTTP.

Import this module only if traces are configured: importing the SDK takes 10 MiB and a quarter of a second.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from threading import Thread

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Span as SdkSpan
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace import Tracer as SdkTracer

from monitor.lib.tracing import AttributeValue, Span
from monitor.lib.version import VERSION
from monitor.tracing.settings import TracingConfig

FLUSH_TIMEOUT = 5.0  # seconds that the last spans may take when the process stops
SCOPE = "headroom"


class RecordedSpan:
    """A span of the SDK as a `Span` of `monitor.lib.tracing`."""

    def __init__(self, span: SdkSpan) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        """Replace the name of the span."""
        self._span.update_name(name)

    def set_attribute(self, name: str, value: AttributeValue) -> None:
        """Add an attribute to the span."""
        self._span.set_attribute(name, value)

    def fail(self, reason: str) -> None:
        """Mark the work as failed."""
        self._span.set_status(Status(StatusCode.ERROR, reason))


class OpenTelemetryTracer:
    """Records spans with a tracer of the SDK.

    Each span begins a trace of its own, because a task may outlive the request that started it.
    """

    def __init__(self, tracer: SdkTracer) -> None:
        self._tracer = tracer

    def span(
        self, name: str, attributes: Mapping[str, AttributeValue], *, is_request: bool = False
    ) -> AbstractContextManager[Span]:
        """Return a context whose duration is recorded. An exception in it marks the span as failed."""
        kind = SpanKind.SERVER if is_request else SpanKind.INTERNAL
        return _recording(self._tracer.start_span(name, Context(), kind=kind, attributes=dict(attributes)))


@contextmanager
def _recording(span: SdkSpan) -> Iterator[Span]:
    recorded = RecordedSpan(span)
    try:
        yield recorded
    except Exception as error:  # only its type is recorded: its text may hold secrets
        recorded.fail(type(error).__name__)
        raise
    finally:
        span.end()


@asynccontextmanager
async def exporting_tracer(config: TracingConfig) -> AsyncIterator[OpenTelemetryTracer]:
    """Yield a tracer. A thread of the SDK exports its spans in batches, and the last ones at the end.

    The SDK drops spans that cannot be sent or do not fit into its queue of 2,048, and writes that to the log.
    """
    provider = TracerProvider(
        sampler=TraceIdRatioBased(config.sample_ratio),
        resource=Resource.create({"service.name": "headroom", "service.version": VERSION}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(config.endpoint, headers=dict(config.headers), timeout=config.timeout)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield OpenTelemetryTracer(provider.get_tracer(SCOPE, VERSION))
    finally:
        closing = Thread(target=provider.shutdown, name="close traces", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, FLUSH_TIMEOUT)
