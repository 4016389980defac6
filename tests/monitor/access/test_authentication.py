"""Every way to log in, and every reason for which a request is denied."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.access.credentials import MAX_HEADER_BYTES
from tests.monitor.access.authenticated_server import (
    ADA_PASSWORD,
    AUTH,
    BOB_PASSWORD,
    EXPIRED_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    SCRAPER_TOKEN,
    AuthenticatedServer,
    authenticated_server,
    basic,
    bearer,
)
from tests.monitor.fleet_server import error_of

SERIES, RELOAD, METRICS = ("GET", "/api/v1/series"), ("POST", "/-/reload"), ("GET", "/metrics")
# Addresses of peers. AUTH trusts the first two; the second is the first, mapped to IPv6.
PROXY, MAPPED_PROXY, STRANGER = "10.1.2.3", "::ffff:10.1.2.3", "192.0.2.1"
SECRETS = (
    READER_TOKEN,
    OPERATOR_TOKEN,
    SCRAPER_TOKEN,
    EXPIRED_TOKEN,
    ADA_PASSWORD,
    BOB_PASSWORD,
    "wrong-wrong-wrong",
)

Call = tuple[str, str]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[AuthenticatedServer]:
    async with authenticated_server(tmp_path, AUTH) as server:
        yield server


async def response_to(server: AuthenticatedServer, call: Call, peer: str, headers: Any) -> httpx.Response:
    """Send a request from the address of a peer, and return the response."""
    async with server.client(peer) as client:
        return await client.request(*call, headers=headers)


# By name: the request, the address of its peer, and its headers.
PERMITTED_REQUESTS: dict[str, tuple[Call, str, dict[str, Any]]] = {
    "a token with the role read": (SERIES, STRANGER, bearer(READER_TOKEN)),
    "the scheme in capitals": (SERIES, STRANGER, {"Authorization": f"BEARER   {READER_TOKEN} "}),
    "a token with the role operate": (RELOAD, STRANGER, bearer(OPERATOR_TOKEN)),
    "a token with the role operate, for a read": (SERIES, STRANGER, bearer(OPERATOR_TOKEN)),
    "a token with the role metrics": (METRICS, STRANGER, bearer(SCRAPER_TOKEN)),
    "a token with the role read, for metrics": (METRICS, STRANGER, bearer(READER_TOKEN)),
    "a password": (RELOAD, STRANGER, basic("ada", ADA_PASSWORD)),
    "a password configured as a hash": (SERIES, STRANGER, basic("bob", BOB_PASSWORD)),
    "a name from the proxy": (SERIES, PROXY, {"X-Forwarded-User": "carol"}),
    "a name from the proxy over IPv6": (SERIES, "fd00::1", {"X-Forwarded-User": "carol"}),
    "a name from the proxy, its address mapped to IPv6": (
        SERIES,
        MAPPED_PROXY,
        {"X-Forwarded-User": "carol"},
    ),
    "a name in another alphabet from the proxy": (SERIES, PROXY, {"X-Forwarded-User": "Ženя".encode()}),
    "a name and a role from the proxy": (RELOAD, PROXY, {"X-Forwarded-User": "carol", "X-Role": "operate"}),
    "a name from the proxy, beside an unknown token": (
        SERIES,
        PROXY,
        {"X-Forwarded-User": "c", **bearer("?")},
    ),
    "a token through the proxy": (RELOAD, PROXY, bearer(OPERATOR_TOKEN)),
    "a token, beside a name from a stranger": (
        SERIES,
        STRANGER,
        {"X-Forwarded-User": "c", **bearer(READER_TOKEN)},
    ),
}


@pytest.mark.parametrize("case", PERMITTED_REQUESTS)
async def test_a_request_with_valid_credentials_is_answered(server: AuthenticatedServer, case: str) -> None:
    response = await response_to(server, *PERMITTED_REQUESTS[case])
    assert response.status_code == 200, response.text
    assert server.failures() == {}


TWO_TOKENS = [("Authorization", f"Bearer {READER_TOKEN}"), ("Authorization", f"Bearer {READER_TOKEN}")]
TWO_NAMES = [("X-Forwarded-User", "carol"), ("X-Forwarded-User", "ada")]
TWO_ROLES = [("X-Forwarded-User", "carol"), ("X-Role", "read"), ("X-Role", "operate")]
LOG_IN = "log in first: expected a user and password or a bearer token or a name in X-Forwarded-User from"

# By name: request, peer and headers; then the status, the reason that is counted, and a part of the error.
DENIED_REQUESTS: dict[str, tuple[Call, str, Any, int, str, str]] = {
    "no credentials": (SERIES, STRANGER, {}, 401, "missing", LOG_IN),
    "an empty header": (SERIES, STRANGER, {"Authorization": ""}, 401, "missing", LOG_IN),
    "a wrong token": (SERIES, STRANGER, bearer("wrong-wrong-wrong"), 401, "token", "this token is unknown"),
    "a scheme without a token": (SERIES, STRANGER, {"Authorization": "Bearer"}, 401, "token", "is unknown"),
    "a token without its last character": (
        SERIES,
        STRANGER,
        bearer(READER_TOKEN[:-1]),
        401,
        "token",
        "is unknown",
    ),
    "a token with a character appended": (
        SERIES,
        STRANGER,
        bearer(READER_TOKEN + "x"),
        401,
        "token",
        "is unknown",
    ),
    "a token in another alphabet": (SERIES, STRANGER, bearer("tökén".encode()), 401, "token", "is unknown"),
    "a token that is not UTF-8": (SERIES, STRANGER, bearer(b"\xff\xfe"), 401, "token", "is unknown"),
    "an expired token": (SERIES, STRANGER, bearer(EXPIRED_TOKEN), 401, "expired", "of eve has expired"),
    "a very long token": (
        SERIES,
        STRANGER,
        bearer("x" * MAX_HEADER_BYTES),
        401,
        "malformed",
        f"{MAX_HEADER_BYTES} bytes",
    ),
    "two tokens": (SERIES, STRANGER, TWO_TOKENS, 401, "malformed", "one header Authorization, found 2"),
    "another scheme": (SERIES, STRANGER, {"Authorization": "Digest a=b"}, 401, "scheme", "another kind"),
    "a token without a scheme": (
        SERIES,
        STRANGER,
        {"Authorization": READER_TOKEN},
        401,
        "scheme",
        "another kind",
    ),
    "a wrong password": (SERIES, STRANGER, basic("ada", "wrong-wrong-wrong"), 401, "password", "wrong"),
    "another user's password": (SERIES, STRANGER, basic("bob", ADA_PASSWORD), 401, "password", "is wrong"),
    "an unknown user": (SERIES, STRANGER, basic("ad", ADA_PASSWORD), 401, "password", "is wrong"),
    "a wrong hashed password": (
        SERIES,
        STRANGER,
        basic("bob", BOB_PASSWORD + " "),
        401,
        "password",
        "is wrong",
    ),
    "a hash as password": (
        SERIES,
        STRANGER,
        basic("bob", AUTH["users"][1]["password_hash"]),
        401,
        "password",
        "",
    ),
    "user and password without a colon": (
        SERIES,
        STRANGER,
        {"Authorization": "Basic YWRh"},
        401,
        "malformed",
        "user:password",
    ),
    "user and password that are not base64": (
        SERIES,
        STRANGER,
        {"Authorization": "Basic !!!"},
        401,
        "malformed",
        "user:password",
    ),
    "user and password that are not UTF-8": (
        SERIES,
        STRANGER,
        {"Authorization": b"Basic " + b64encode(b"\xff:\xff")},
        401,
        "password",
        "",
    ),
    "a name from a stranger": (
        SERIES,
        STRANGER,
        {"X-Forwarded-User": "ada"},
        401,
        "proxy",
        f"not trusted from {STRANGER}",
    ),
    "a name and a forged address from a stranger": (
        SERIES,
        STRANGER,
        {
            "X-Forwarded-User": "ada",
            "X-Forwarded-For": PROXY,
            "Forwarded": f"for={PROXY}",
            "X-Real-Ip": PROXY,
        },
        401,
        "proxy",
        f"not trusted from {STRANGER}",
    ),
    "a name from a peer without an IP address": (
        SERIES,
        "somewhere",
        {"X-Forwarded-User": "ada"},
        401,
        "proxy",
        "is not trusted",
    ),
    "an empty name from the proxy": (SERIES, PROXY, {"X-Forwarded-User": " "}, 401, "missing", "log in"),
    "two names from the proxy": (
        SERIES,
        PROXY,
        TWO_NAMES,
        401,
        "malformed",
        "one header X-Forwarded-User, found 2",
    ),
    "a role without a name from the proxy": (
        SERIES,
        PROXY,
        {"X-Role": "operate"},
        401,
        "missing",
        "log in first",
    ),
    "two roles from the proxy": (SERIES, PROXY, TWO_ROLES, 401, "malformed", "one header X-Role, found 2"),
    "an unknown role from the proxy": (
        SERIES,
        PROXY,
        {"X-Forwarded-User": "c", "X-Role": "admin"},
        403,
        "role",
        "expected read or operate as header X-Role",
    ),
    "a name that is not UTF-8": (
        SERIES,
        PROXY,
        {"X-Forwarded-User": b"\xff"},
        401,
        "malformed",
        "printable text in UTF-8",
    ),
    "a name with control characters": (
        SERIES,
        PROXY,
        {"X-Forwarded-User": b"a\x1b[2J"},
        401,
        "malformed",
        "printable text",
    ),
    "a token with the role read, for an operation": (
        RELOAD,
        STRANGER,
        bearer(READER_TOKEN),
        403,
        "role",
        "rita has the role read",
    ),
    "a user with the role read, for an operation": (
        RELOAD,
        STRANGER,
        basic("bob", BOB_PASSWORD),
        403,
        "role",
        "bob has the role read",
    ),
    "a name from the proxy with the role read, for an operation": (
        RELOAD,
        PROXY,
        {"X-Forwarded-User": "c"},
        403,
        "role",
        "needs operate",
    ),
    "a token with the role metrics, for a read": (
        SERIES,
        STRANGER,
        bearer(SCRAPER_TOKEN),
        403,
        "role",
        "prom has the role metrics",
    ),
}


@pytest.mark.parametrize("case", DENIED_REQUESTS)
async def test_a_request_without_permission_is_denied_with_the_reason(
    server: AuthenticatedServer, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    call, peer, headers, status, reason, sentence = DENIED_REQUESTS[case]
    response = await response_to(server, call, peer, headers)
    assert response.status_code == status
    assert sentence in error_of(response)
    assert server.failures() == {reason: 1}
    assert response.headers["cache-control"] == "no-store"
    challenges = ['Basic realm="Headroom", charset="UTF-8"', 'Bearer realm="Headroom"']
    assert response.headers.get_list("www-authenticate") == (challenges if status == 401 else [])
    assert server.server.reload_count == 0
    assert not any(secret in response.text + caplog.text for secret in SECRETS)


async def test_a_browser_gets_the_denial_as_a_page(server: AuthenticatedServer) -> None:
    response = await response_to(server, ("GET", "/"), STRANGER, {"Accept": "text/html,*/*;q=0.8"})
    assert (response.status_code, response.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "Basic" in response.headers["www-authenticate"]
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "log in first" in response.text


@pytest.mark.parametrize(("users", "challenges"), [((), 1), (AUTH["users"], 2)])
async def test_basic_authentication_is_offered_if_users_are_configured(
    server: AuthenticatedServer, users: Any, challenges: int
) -> None:
    server.configure({"tokens": AUTH["tokens"], "users": users})
    response = await response_to(server, SERIES, STRANGER, {})
    assert len(response.headers.get_list("www-authenticate")) == challenges


async def test_every_password_is_wrong_if_no_users_are_configured(server: AuthenticatedServer) -> None:
    server.configure({"tokens": AUTH["tokens"]})
    response = await response_to(server, SERIES, STRANGER, basic("", ""))
    assert (response.status_code, server.failures()) == (401, {"password": 1})


OPEN_CALLS = [
    ("GET", "/-/healthy", 200),
    ("GET", "/-/ready", 200),
    ("HEAD", "/-/healthy", 405),
    ("GET", "/static/headroom.css", 200),
    ("GET", "/static/nothing", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), OPEN_CALLS)
async def test_open_paths_need_no_login(
    server: AuthenticatedServer, method: str, path: str, status: int
) -> None:
    response = await response_to(server, (method, path), STRANGER, bearer("wrong-wrong-wrong"))
    assert (response.status_code, server.failures()) == (status, {})


async def test_open_metrics_can_be_scraped_without_a_login(server: AuthenticatedServer) -> None:
    server.configure(AUTH | {"open_metrics": True})
    assert (await response_to(server, METRICS, STRANGER, {})).status_code == 200
    assert (await response_to(server, ("POST", "/metrics"), STRANGER, {})).status_code == 405
    assert (await response_to(server, SERIES, STRANGER, {})).status_code == 401


# The settings beside allow_anonymous, the request and its headers, and the status.
ANONYMOUS_CASES: list[tuple[dict[str, Any], Call, Any, int]] = [
    ({}, SERIES, {}, 200),
    ({}, METRICS, {}, 200),
    ({}, SERIES, bearer("a token for others"), 200),
    ({}, RELOAD, {}, 403),
    ({"anonymous_role": "operate"}, RELOAD, {}, 200),
    ({"anonymous_role": "metrics"}, METRICS, {}, 200),
    ({"anonymous_role": "metrics"}, SERIES, {}, 403),
    ({"users": AUTH["users"]}, SERIES, {}, 200),
    ({"users": AUTH["users"]}, RELOAD, {}, 401),  # so that a browser asks for the password
    ({"users": AUTH["users"]}, RELOAD, basic("ada", ADA_PASSWORD), 200),
    ({"users": AUTH["users"]}, SERIES, basic("ada", "wrong"), 401),
    ({"tokens": AUTH["tokens"]}, SERIES, bearer(EXPIRED_TOKEN), 401),
    ({"tokens": AUTH["tokens"]}, RELOAD, bearer(READER_TOKEN), 403),
    ({"proxy": AUTH["proxy"]}, SERIES, {"X-Forwarded-User": "ada"}, 200),
    ({"proxy": AUTH["proxy"]}, RELOAD, {"X-Forwarded-User": "ada", "X-Role": "operate"}, 401),
]


@pytest.mark.parametrize(("auth", "call", "headers", "status"), ANONYMOUS_CASES)
async def test_without_a_login_a_request_has_the_anonymous_role_and_a_failed_login_is_an_error(
    server: AuthenticatedServer, auth: dict[str, Any], call: Call, headers: Any, status: int
) -> None:
    server.configure({"allow_anonymous": True, **auth})
    assert (await response_to(server, call, STRANGER, headers)).status_code == status


async def test_without_auth_settings_no_login_is_needed(server: AuthenticatedServer) -> None:
    server.configure(None)
    assert (await response_to(server, SERIES, STRANGER, {})).status_code == 200
    assert (await response_to(server, RELOAD, STRANGER, bearer("a token for others"))).status_code == 200


STATUS_BY_HOST = {  # the header Host, and the status
    "localhost": 200,
    "LOCALHOST:4070": 200,
    "127.0.0.1:4070": 200,
    "[::1]:4070": 200,
    "": 200,
    "rebound.example.org": 421,
    "rebound.example.org:4070": 421,
    "localhost.example.org": 421,
    "127.0.0.1.example.org": 421,
    "10.0.0.1": 421,
    "[::1": 401,
    "höst": 401,
}


@pytest.mark.parametrize(("host", "status"), STATUS_BY_HOST.items())
async def test_without_auth_settings_only_loopback_host_names_are_served(
    server: AuthenticatedServer, host: str, status: int
) -> None:
    """Another site may let its name resolve to this machine (DNS rebinding)."""
    server.configure(None)
    assert (await response_to(server, SERIES, STRANGER, {"Host": host.encode()})).status_code == status
    probe = await response_to(server, ("GET", "/-/healthy"), STRANGER, {"Host": host.encode()})
    assert probe.status_code == 200
    server.configure(AUTH)
    headers = {"Host": "rebound.example.org", **bearer(READER_TOKEN)}
    assert (await response_to(server, SERIES, STRANGER, headers)).status_code == 200


async def test_new_auth_settings_apply_at_once(server: AuthenticatedServer) -> None:
    assert (await response_to(server, SERIES, STRANGER, basic("bob", BOB_PASSWORD))).status_code == 200
    server.configure({"users": [{"name": "bob", "password": "another-password"}]})
    assert (await response_to(server, SERIES, STRANGER, basic("bob", BOB_PASSWORD))).status_code == 401
    assert (await response_to(server, SERIES, STRANGER, bearer(READER_TOKEN))).status_code == 401
    assert (await response_to(server, SERIES, STRANGER, basic("bob", "another-password"))).status_code == 200


SCHEMES: tuple[tuple[str, Any, str], ...] = (
    (PROXY, {"X-Forwarded-Proto": "https"}, "https"),
    (MAPPED_PROXY, {"X-Forwarded-Proto": " HTTPS"}, "https"),
    (PROXY, {"X-Forwarded-Proto": "http"}, "http"),
    (PROXY, {}, "http"),
    (PROXY, {"X-Forwarded-Proto": "javascript"}, "http"),
    (PROXY, [("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")], "http"),
    (STRANGER, {"X-Forwarded-Proto": "https"}, "http"),
)


@pytest.mark.parametrize(("peer", "headers", "scheme"), SCHEMES)
async def test_a_trusted_proxy_alone_tells_the_scheme_of_the_clients_request(
    server: AuthenticatedServer, peer: str, headers: Any, scheme: str
) -> None:
    login = [("Authorization", f"Bearer {READER_TOKEN}"), ("Host", "headroom.example.org")]
    sent = [*(headers.items() if isinstance(headers, dict) else headers), *login]
    page = (await response_to(server, ("GET", "/docs"), peer, sent)).text
    assert f"curl {scheme}://headroom.example.org/" in page.replace("-H 'Authorization: ", "")
