"""A real TLS server: the certificate that it presents before and after the files change."""

import asyncio
import logging
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from monitor.access.certificate import Certificate
from monitor.access.key_pair import KeyPair
from monitor.access.service import AccessService
from monitor.access.settings import AccessSettings, TlsConfig
from monitor.access.telemetry import AccessTelemetry
from monitor.api import client
from monitor.api.health_probe import probe_health
from monitor.config.config import Config
from monitor.http.connection import HttpConnection
from monitor.lib.telemetry import ProcessTelemetry
from monitor.server.listener import HttpServer, bind_socket
from tests.processes import eventually

CA = trustme.CA()
REQUEST = b"GET /-/healthy HTTP/1.1\r\nHost: headroom\r\n\r\n"


async def respond_with_scheme(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that responds with the scheme of the request."""
    await PlainTextResponse(scope["scheme"])(scope, receive, send)


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically: a server that reads it meanwhile never sees a part of it."""
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").replace(path)


def write_certificate(folder: Path, name: str, key_type: trustme.KeyType = trustme.KeyType.ECDSA) -> None:
    """Write a new certificate for a name, and its key."""
    certificate = CA.issue_cert(name, "127.0.0.1", key_type=key_type)
    replace(folder / "tls.key", certificate.private_key_pem.bytes())
    replace(folder / "tls.crt", certificate.cert_chain_pems[0].bytes())


def settings_of(folder: Path, version: str = "1.2") -> AccessSettings:
    """Return the settings of a certificate in a folder."""
    files = {"certificate_file": f"{folder}/tls.crt", "key_file": f"{folder}/tls.key"}
    return Config.model_validate({"tls": files | {"minimum_version": version}}).access_settings()


class TlsServer:
    """A server with a certificate in a folder, and connections to it."""

    def __init__(self, folder: Path, version: str) -> None:
        self.folder, self.telemetry = folder, ProcessTelemetry()
        write_certificate(folder, "one")
        self.service = AccessService(settings_of(folder, version), self.telemetry, check_interval=0.05)

    @asynccontextmanager
    async def run(self) -> AsyncIterator["TlsServer"]:
        config = uvicorn.Config(
            respond_with_scheme, http=HttpConnection, lifespan="off", log_config=None, access_log=False
        )
        self.service.configure_tls(config)
        listen_socket, server = bind_socket("127.0.0.1", 0), HttpServer(config)
        self.port: int = listen_socket.getsockname()[1]
        async with asyncio.TaskGroup() as group:
            server_task = group.create_task(server.serve([listen_socket]))
            loops = [group.create_task(loop) for loop in self.service.loops()]
            yield self
            server.should_exit = True
            await server_task
            for loop in loops:
                loop.cancel()

    @asynccontextmanager
    async def connect(
        self, name: str = "127.0.0.1", maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
    ) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
        """Connect to the server by a name. For an address, TLS sends no server name."""
        context = ssl.create_default_context()
        CA.configure_trust(context)
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.maximum_version = maximum
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname=name
        )
        try:
            yield reader, writer
        finally:
            writer.close()

    async def presented_name(self, name: str = "127.0.0.1") -> str:
        """Return the name in the certificate of a new connection."""
        async with self.connect(name) as (_, writer):
            certificate = writer.get_extra_info("ssl_object").getpeercert()
            return str(next(value for kind, value in certificate["subjectAltName"] if kind == "DNS"))

    async def wait_for_certificate(self, name: str) -> None:
        """Wait until new connections get the certificate of a name."""

        async def is_presented() -> bool | None:
            return True if await self.presented_name() == name else None

        await eventually(is_presented)

    def reloads(self, outcome: str) -> float:
        """Return how many reloads of the certificate had an outcome."""
        labels = {"outcome": outcome}
        return self.telemetry.registry.get_sample_value("headroom_tls_reloads_total", labels) or 0.0

    async def wait_for_unusable_files(self, times: int) -> None:
        """Wait until new files were unusable `times` times."""

        async def is_counted() -> bool | None:
            return True if self.reloads("refused") == times else None

        await eventually(is_counted)

    async def wait_for_checks(self) -> None:
        """Wait for two more checks of the files."""

        def checks() -> float:
            labels = {"loop": "certificate"}
            return self.telemetry.registry.get_sample_value("headroom_ticks_total", labels) or 0.0

        checks_before = checks()

        async def is_done() -> bool | None:
            return True if checks() >= checks_before + 2 else None

        await eventually(is_done)


async def body_of_response(reader: StreamReader, writer: StreamWriter) -> str:
    """Send REQUEST, and return the body of the response."""
    writer.write(REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return (await reader.readexactly(int(length.split(b":")[1]))).decode()


@pytest.fixture(autouse=True)
def log_level(caplog: pytest.LogCaptureFixture) -> None:
    """Record log messages from INFO upwards."""
    caplog.set_level(logging.INFO)


@pytest.fixture
async def tls(tmp_path: Path) -> AsyncIterator[TlsServer]:
    async with TlsServer(tmp_path, "1.2").run() as tls:
        yield tls


async def test_the_server_answers_over_https(tls: TlsServer) -> None:
    async with tls.connect("one") as connection:
        assert await body_of_response(*connection) == "https"
        assert connection[1].get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


async def test_a_new_certificate_is_presented_and_open_connections_stay_open(
    tls: TlsServer, tmp_path: Path
) -> None:
    async with tls.connect("one") as connection:
        assert await body_of_response(*connection) == "https"
        write_certificate(tmp_path, "two")
        await tls.wait_for_certificate("two")
        assert await tls.presented_name("two") == "two"  # also if the client sends the server name
        assert await body_of_response(*connection) == "https"
    assert tls.reloads("done") == 1


async def test_a_certificate_with_another_kind_of_key_replaces_the_old_certificate(
    tls: TlsServer, tmp_path: Path
) -> None:
    """OpenSSL keeps one certificate for each kind of key: the old one must not be presented any more."""
    write_certificate(tmp_path, "two", trustme.KeyType.RSA)
    await tls.wait_for_certificate("two")
    write_certificate(tmp_path, "three")
    await tls.wait_for_certificate("three")


# By name: functions that make the certificate or the key in a folder unusable.
BREAK_FILES: dict[str, Callable[[Path], object]] = {
    "the key of another certificate": lambda folder: replace(
        folder / "tls.key", CA.issue_cert("x").private_key_pem.bytes()
    ),
    "no key": lambda folder: (folder / "tls.key").unlink(),
    "half a certificate": lambda folder: replace(folder / "tls.crt", (folder / "tls.crt").read_bytes()[:99]),
}


@pytest.mark.parametrize("case", BREAK_FILES)
async def test_unusable_files_are_reported_once_and_the_old_certificate_stays_in_force(
    tls: TlsServer, tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = (tmp_path / "tls.key").read_text()
    BREAK_FILES[case](tmp_path)
    await tls.wait_for_unusable_files(1)
    await tls.wait_for_checks()
    assert await tls.presented_name() == "one"
    assert tls.reloads("refused") == 1
    messages = [message for message in caplog.messages if "the old one stays in force" in message]
    assert len(messages) == 1
    assert key.splitlines()[1] not in caplog.text
    write_certificate(tmp_path, "two")
    await tls.wait_for_certificate("two")


async def test_a_plain_http_request_is_not_answered_and_affects_no_other_connection(tls: TlsServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", tls.port)
    writer.write(REQUEST)
    async with asyncio.timeout(10):
        with suppress(ConnectionResetError):
            assert not (await reader.read()).startswith(b"HTTP")
    writer.close()
    assert await tls.presented_name() == "one"


async def test_a_client_that_connects_and_sends_nothing_affects_no_other_client(tls: TlsServer) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", tls.port)
    assert await tls.presented_name() == "one"
    writer.close()


async def test_tls_below_the_configured_version_is_rejected(tmp_path: Path) -> None:
    async with TlsServer(tmp_path, "1.3").run() as tls:
        with pytest.raises(OSError):  # an SSLError if the TLS alert arrives before the end of the connection
            async with tls.connect("one", ssl.TLSVersion.TLSv1_2):
                pass
        await tls.service.configure(settings_of(tmp_path, "1.2"))
        async with tls.connect("one", ssl.TLSVersion.TLSv1_2) as connection:
            assert await body_of_response(*connection) == "https"


async def test_new_tls_settings_apply_at_once(tls: TlsServer, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write_certificate(tmp_path / "other", "two")
    await tls.service.configure(settings_of(tmp_path / "other"))
    assert await tls.presented_name() == "two"
    write_certificate(tmp_path / "other", "three")
    await tls.wait_for_certificate("three")


async def test_switching_https_on_or_off_takes_effect_at_the_next_start(
    tls: TlsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await tls.service.configure(Config().access_settings())
    assert await tls.presented_name() == "one"
    await AccessService(Config().access_settings(), ProcessTelemetry()).configure(settings_of(tmp_path))
    messages = [
        message
        for message in caplog.messages
        if message == "`tls` changed: it takes effect at the next start"
    ]
    assert len(messages) == 2


@pytest.mark.parametrize("scheme", ["", "https://"])
async def test_the_health_check_does_not_verify_the_certificate(tls: TlsServer, scheme: str) -> None:
    assert await asyncio.to_thread(probe_health, f"{scheme}127.0.0.1:{tls.port}") == "200 OK"


async def test_commands_other_than_the_health_check_verify_the_certificate(
    tls: TlsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    address = f"https://127.0.0.1:{tls.port}"
    with pytest.raises(client.ApiTransportError, match="certificate verify failed"):
        await asyncio.to_thread(client.request, address, "GET", "/")
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(client.ApiTransportError, match="not one of Headroom's"):
        await asyncio.to_thread(client.request, address, "GET", "/")


async def test_a_check_of_the_files_does_not_undo_new_settings(tmp_path: Path) -> None:
    """The check begins with the old settings, and ends after the new settings were passed to `reload`."""
    write_certificate(tmp_path, "one")
    (tmp_path / "other").mkdir()
    write_certificate(tmp_path / "other", "two")
    check_begun, check_may_continue = threading.Event(), threading.Event()
    check_may_continue.set()

    class SlowPair(KeyPair):
        def stamp(self) -> tuple[object, ...]:
            if not check_may_continue.is_set():
                check_begun.set()
                check_may_continue.wait()
            return super().stamp()

    class SlowTls(TlsConfig):
        @property
        def pair(self) -> KeyPair:
            return SlowPair(*super().pair)

    old_tls, new_tls = settings_of(tmp_path).tls, settings_of(tmp_path / "other").tls
    assert old_tls and new_tls
    slow_tls = SlowTls.model_construct(**dict(old_tls))
    certificate = Certificate(slow_tls, AccessTelemetry(CollectorRegistry()).certificate_reloads)
    check_may_continue.clear()
    write_certificate(tmp_path, "three")
    checking = asyncio.create_task(asyncio.to_thread(certificate.reload))
    await asyncio.to_thread(check_begun.wait)
    configuring = asyncio.create_task(asyncio.to_thread(certificate.reload, new_tls))
    await asyncio.wait([configuring], timeout=0.1)  # the reload may wait for the check, or end before it
    check_may_continue.set()
    await asyncio.gather(checking, configuring)
    assert certificate.config == new_tls
