"""Probes the health of a running Headroom.

A container probes every few seconds, so this module does not import http.client, and imports ssl for https
only: these imports take longer than all else together. The probe reads only the first line of the response.
"""

import socket
import time
from typing import Final
from urllib.parse import SplitResult

from monitor.api.server_address import parse_server_address
from monitor.lib.default_ports import DEFAULT_PORTS

PROBE_TIMEOUT: Final = 3.0  # seconds to connect, and again for the response
MIN_TIMEOUT: Final = 0.001  # seconds; a socket with a timeout of 0 would raise BlockingIOError
MAX_STATUS_LINE: Final = 4096  # bytes


def probe_health(address: str) -> str:
    """Return the status code and reason phrase of /-/healthy. Without a scheme, tries http and then https.

    Blocks for some seconds at most. The certificate of a loopback address is not verified: no secret is sent.
    Raises OSError or ValueError if there is no HTTP response.
    """
    if "://" in address:
        return _probe(parse_server_address(address))
    try:
        return _probe(parse_server_address(address))
    except ConnectionResetError:  # a TLS server resets a plain HTTP connection
        return _probe(parse_server_address(f"https://{address}"))


def _probe(url: SplitResult) -> str:
    host = url.hostname or ""
    with socket.create_connection((host, url.port or DEFAULT_PORTS[url.scheme]), PROBE_TIMEOUT) as plain:
        if url.scheme == "http":
            return _request(plain, url.netloc)
        with _connect_tls(plain, host) as encrypted:
            return _request(encrypted, url.netloc)


def _connect_tls(connection: socket.socket, host: str) -> socket.socket:
    import ssl

    from monitor.lib.loopback import is_loopback

    context = ssl.create_default_context()
    if is_loopback(host):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)


def _request(connection: socket.socket, host: str) -> str:
    deadline = time.monotonic() + PROBE_TIMEOUT
    connection.sendall(
        f"GET /-/healthy HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("ascii")
    )
    received = b""
    while b"\n" not in received and len(received) < MAX_STATUS_LINE:
        connection.settimeout(max(deadline - time.monotonic(), MIN_TIMEOUT))
        if not (chunk := connection.recv(MAX_STATUS_LINE)):
            break
        received += chunk
    if not received:
        raise ConnectionResetError("the connection was closed without a response")
    version, _, status = received.partition(b"\n")[0].decode("latin-1").strip().partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError("the response is not HTTP")
    return status
