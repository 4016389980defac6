"""botocore's clients: one for each service and region, shared by all accounts.

A client takes a megabyte of memory and tens of milliseconds to create. 30 accounts in 17 regions would need
4,600 clients for nine services, which differ only in their credentials. So a client has no credentials of its
own: it signs with the credentials in a context variable, which `sign_with` sets for one call, and raises
LookupError if the variable is not set. A process loads botocore's models once, creates clients in a thread,
and lets the clients of a cache share one pool of connections.
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
    # A fixed text: botocore would compose its own twice for each call, which takes an eighth of the call.
    user_agent=f"headroom/{VERSION} aiobotocore/{aiobotocore.__version__} botocore/{botocore.__version__}",
)

# No account is opened without STS, and no metric is read without CloudWatch.
URGENT_SERVICES = ("sts", "cloudwatch")

# Operations whose responses have pages, but that have no paginator in botocore; from the API reference.
EXTRA_PAGINATIONS: Mapping[tuple[str, str], Pagination] = {
    ("s3", "ListBucketMetricsConfigurations"): Pagination(
        "ContinuationToken", "NextContinuationToken", "IsTruncated"
    ),
    # The next page begins after the last name of the present page.
    ("firehose", "ListDeliveryStreams"): Pagination(
        "ExclusiveStartDeliveryStreamName", "DeliveryStreamNames[-1]", "HasMoreDeliveryStreams"
    ),
}

# The beginnings of the bodies that AWS's services send: an empty body, JSON, XML (no HTML), or a map in CBOR.
# Of any other body, botocore's parsers make an empty list or an error with the whole body as its message, or
# they raise AttributeError.
AWS_BODY = re.compile(rb"\s*($|[{\[]|<(?!(!doctype )?html\b)|[\xa0-\xbf])", re.IGNORECASE)

_signing_credentials: ContextVar[ReadOnlyCredentials] = ContextVar(
    "the credentials that sign the present call"
)


@contextlib.contextmanager
def sign_with(credentials: ReadOnlyCredentials) -> Iterator[None]:
    """Sign the calls that are made within the context with these credentials."""
    token = _signing_credentials.set(credentials)
    try:
        yield
    finally:
        _signing_credentials.reset(token)


class CallCredentials(AioCredentials):
    """The credentials of every client: the credentials that `sign_with` set for the present call."""

    def __init__(self) -> None:
        super().__init__(access_key="none", secret_key="none")

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:  # type: ignore[override]
        """Return the credentials of the present call. Raises LookupError outside of `sign_with`."""
        return _signing_credentials.get()

    async def load_credentials(self) -> "CallCredentials":
        """Return this object, which is also the credential provider of botocore's session."""
        return self


class HttpSessions:
    """The HTTP sessions that clients share, one session for each set of options."""

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._sessions: dict[Hashable, AIOHTTPSession] = {}
        self._lock = asyncio.Lock()

    async def get(self, options: Mapping[str, Any]) -> AIOHTTPSession:
        """Return the session with these options of botocore; open it when it is first needed."""
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
    """Return a class for botocore's `http_session_cls` whose instances send through the shared sessions.

    turns: spread the parsing of responses, about half a millisecond each, over turns of the event loop.
    """

    class SharedSession(AIOHTTPSession):
        """A session that has no connections of its own."""

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

    Clients are never evicted, as an unused client holds no connection. turns: the turns of the event loop,
    for which each call waits twice: before it is signed, and before its response is parsed.
    """

    def __init__(self) -> None:
        self._http_sessions = HttpSessions()
        self.turns = LoopTurns()
        self._session_class = shared_session_class(self._http_sessions, self.turns)
        self._clients: dict[tuple[str, str, str | None, AioConfig], Any] = {}
        self._paginations: dict[tuple[str, str], Pagination | None] = dict(EXTRA_PAGINATIONS)
        self._lock = asyncio.Lock()  # held while a client is created, so that one is created at a time
        # Held while a client that is not urgent waits for `_lock` or is created, so that an urgent client
        # waits for one of them at most.
        self._not_urgent_lock = asyncio.Lock()
        self._loader = model_loader()
        self._session: AioSession | None = None
        self._tuning = ClientTuning()

    async def get(
        self, service: str, region: str, endpoint_url: str | None, config: AioConfig = CLIENT_CONFIG
    ) -> Any:
        """Return the client of a service in a region. Raises one of AWS_ERRORS if it cannot be created."""
        key = service, region, endpoint_url, config
        if key not in self._clients:
            is_urgent = service in URGENT_SERVICES
            queue = contextlib.nullcontext() if is_urgent else self._not_urgent_lock
            async with queue, self._lock:
                if key not in self._clients:
                    self._clients[key] = await asyncio.to_thread(self._create, *key)
        return self._clients[key]

    def _create(self, service: str, region: str, endpoint_url: str | None, config: AioConfig) -> Any:
        """Create a client. Do not call this on the event loop: loading the model may take a second."""
        if self._session is None:
            self._session = AioSession()
            self._session.register_component("credential_provider", CallCredentials())
            self._session.register_component("data_loader", self._loader)
        config_with_session = config.merge(AioConfig(http_session_cls=self._session_class))
        context = self._session.create_client(
            service, region_name=region, endpoint_url=endpoint_url, config=config_with_session
        )
        # Not `asyncio.run`: for each client, it would look at all tasks of all event loops of the process.
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            client = loop.run_until_complete(context.__aenter__())  # opens no connection: see `SharedSession`
        self._tuning.tune(client)
        gc.freeze()  # clients are never freed, and garbage collection of models blocked the loop for 250 ms
        return client

    async def pagination(self, service: str, operation: str) -> Pagination | None:
        """Return how to request the pages of an operation; None if the operation has no pages."""
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
        """Close all connections, and forget the clients; new clients are created when they are needed."""
        self._clients.clear()
        await self._http_sessions.close()
