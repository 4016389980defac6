"""botocore's clients: one for each service and region, shared by all accounts.

A client takes a megabyte and tens of milliseconds, and 30 accounts in 17 regions would need 4,600 of them,
which differ in nothing but their credentials. So a client has no credentials of its own: it signs with those
of a context variable, which `sign_with` sets for one call, and raises where that is not set. Models are
loaded once in a process, clients are created in a thread, and those of a cache share one pool of connections.
"""

import asyncio
import contextlib
import gc
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import aiobotocore
import botocore
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioCredentials
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.model import ServiceModel

from monitor.aws.client_tuning import ClientTuning
from monitor.aws.failure import ForeignResponseError
from monitor.aws.pagination import Pagination, pagination_from_model
from monitor.lib.botocore_models import model_loader
from monitor.lib.cooperative import LoopTurns
from monitor.lib.version import VERSION

MAX_CONNECTIONS = 256  # to all of AWS at once

CLIENT_CONFIG = AioConfig(
    retries={"mode": "standard", "total_max_attempts": 1},  # `Cell` retries, and counts each attempt
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=MAX_CONNECTIONS,
    # Made once: botocore's own is composed twice for each call, an eighth of the time of a call.
    user_agent=f"headroom/{VERSION} aiobotocore/{aiobotocore.__version__} botocore/{botocore.__version__}",
)

URGENT_SERVICES = ("sts", "cloudwatch")  # without them no account is opened, and no metric is read

# Operations with pages for which botocore has no paginator, from the API reference.
EXTRA_PAGINATIONS: Mapping[tuple[str, str], Pagination] = {
    ("s3", "ListBucketMetricsConfigurations"): Pagination(
        "ContinuationToken", "NextContinuationToken", "IsTruncated"
    ),
    # The next page begins after the last name of this one.
    ("firehose", "ListDeliveryStreams"): Pagination(
        "ExclusiveStartDeliveryStreamName", "DeliveryStreamNames[-1]", "HasMoreDeliveryStreams"
    ),
}

# How the bodies of AWS's services begin: nothing, JSON, XML, and in CBOR a map. Of anything else botocore's
# parsers make an empty list, a message of its whole text, or an AttributeError.
AWS_BODY = re.compile(rb"\s*($|[{\[]|<(?!(!doctype )?html\b)|[\xa0-\xbf])", re.IGNORECASE)

_signing: ContextVar[ReadOnlyCredentials] = ContextVar("the credentials that sign the present call")


@contextlib.contextmanager
def sign_with(credentials: ReadOnlyCredentials) -> Iterator[None]:
    """Sign the calls made within the context with these credentials."""
    token = _signing.set(credentials)
    try:
        yield
    finally:
        _signing.reset(token)


class CallCredentials(AioCredentials):
    """The credentials of every client: those that `sign_with` sets where a call is made."""

    def __init__(self) -> None:
        super().__init__(access_key="none", secret_key="none")

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:  # type: ignore[override]
        """The credentials of the present call. Raises LookupError outside of `sign_with`."""
        return _signing.get()

    async def load_credentials(self) -> "CallCredentials":
        """The object itself, which is registered as its own provider."""
        return self


class HttpSessions:
    """HTTP sessions that clients share: one for each set of options."""

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._sessions: dict[Hashable, AIOHTTPSession] = {}
        self._lock = asyncio.Lock()

    async def get(self, options: Mapping[str, Any]) -> AIOHTTPSession:
        """The session with these options, named as botocore does; opened when it is first needed."""
        key = repr(sorted(options.items()))
        async with self._lock:
            if key not in self._sessions:
                opened = await self._stack.enter_async_context(AIOHTTPSession(**options))
                self._sessions[key] = opened
        return self._sessions[key]

    async def close(self) -> None:
        """Close all sessions."""
        self._sessions.clear()
        await self._stack.aclose()


def shared_session_class(sessions: HttpSessions, turns: LoopTurns) -> type[AIOHTTPSession]:
    """A class for botocore's `http_session_cls` whose instances send through the shared sessions.

    turns: spread what is done with responses, about half a millisecond each.
    """

    class SharedSession(AIOHTTPSession):
        """A session that opens and closes nothing of its own."""

        def __init__(self, **options: Any) -> None:
            self._options = options

        async def __aenter__(self) -> "SharedSession":
            return self

        async def __aexit__(self, *_: object) -> None:
            pass

        async def close(self) -> None:
            pass

        async def send(self, request: Any) -> Any:
            response: Any = await (await sessions.get(self._options)).send(request)
            if not request.stream_output and not AWS_BODY.match(await response.content):
                raise ForeignResponseError(status=response.status_code)
            await turns.wait()
            return response

    return SharedSession


class ClientCache:
    """The clients of a process by service, region, endpoint (None: the region's own) and configuration.

    They are never evicted, as an unused client holds no connection. turns: of the event loop, for which each
    call waits before it is signed, and its response before it is read.
    """

    def __init__(self) -> None:
        self._http_sessions = HttpSessions()
        self.turns = LoopTurns()
        self._session_class = shared_session_class(self._http_sessions, self.turns)
        self._clients: dict[tuple[str, str, str | None, AioConfig], Any] = {}
        self._paginations: dict[tuple[str, str], Pagination | None] = dict(EXTRA_PAGINATIONS)
        self._lock = asyncio.Lock()  # clients are created one after the other
        self._queue = asyncio.Lock()  # of the others, one at a time waits for `_lock`: an urgent one is next
        self._loader = model_loader()
        self._session: AioSession | None = None
        self._tuning = ClientTuning()

    async def get(
        self, service: str, region: str, endpoint_url: str | None, config: AioConfig = CLIENT_CONFIG
    ) -> Any:
        """The client of a service in a region. Raises one of AWS_ERRORS when it cannot be created."""
        key = service, region, endpoint_url, config
        if key not in self._clients:
            async with contextlib.nullcontext() if service in URGENT_SERVICES else self._queue, self._lock:
                if key not in self._clients:
                    self._clients[key] = await asyncio.to_thread(self._create, *key)
        return self._clients[key]

    def _create(self, service: str, region: str, endpoint_url: str | None, config: AioConfig) -> Any:
        """Create a client. Loading its model may take a second: not for the event loop."""
        if self._session is None:
            self._session = AioSession()
            self._session.register_component("credential_provider", CallCredentials())
            self._session.register_component("data_loader", self._loader)
        shared = config.merge(AioConfig(http_session_cls=self._session_class))
        context = self._session.create_client(
            service, region_name=region, endpoint_url=endpoint_url, config=shared
        )
        # `asyncio.run` would look at all tasks of all event loops of the process, for each client.
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            client = loop.run_until_complete(context.__aenter__())  # nothing is open yet: `SharedSession`
        self._tuning.tune(client)
        gc.freeze()  # it is never freed, and collecting garbage among models blocked the loop for 250 ms
        return client

    async def pagination(self, service: str, operation: str) -> Pagination | None:
        """Return how the pages of an operation are requested; None when it has none."""
        if (service, operation) not in self._paginations:
            self._paginations[service, operation] = await asyncio.to_thread(
                pagination_from_model, self._loader, service, operation
            )
        return self._paginations[service, operation]

    async def error_codes(self, service: str, operation: str) -> frozenset[str]:
        """Return the codes of the errors that botocore's model names for an operation."""
        return await asyncio.to_thread(self._load_error_codes, service, operation)

    def _load_error_codes(self, service: str, operation: str) -> frozenset[str]:
        model = ServiceModel(self._loader.load_service_model(service, "service-2"), service)
        errors: Iterable[Any] = model.operation_model(operation).error_shapes
        return frozenset(shape.error_code for shape in errors)

    async def aclose(self) -> None:
        """Close all connections; clients are created again when they are needed."""
        self._clients.clear()
        await self._http_sessions.close()
