"""Probes, reload and errors of the HTTP application."""

from collections.abc import AsyncIterator

import httpx
import pytest

from monitor.aws.status import MonitorStatus
from monitor.schema.problems import ConfigError
from tests.monitor.fleet_server import Server, error_of, json_of


async def test_the_readiness_probe_says_why_headroom_is_not_ready_while_it_is_healthy(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.status = MonitorStatus(has_data=False, pending=["account staging", "123456789012/eu-west-1"])
    assert await json_of(client, "/-/healthy") == {"healthy": True}
    response = await client.get("/-/ready")
    assert response.status_code == 503
    assert error_of(response) == "not read yet: account staging, 123456789012/eu-west-1"
    server.status = MonitorStatus(is_judged=False)
    assert error_of(await client.get("/-/ready")) == "the first judgement is pending"
    assert (await json_of(client, "/api/v1/status"))["ready"] is False
    server.status = MonitorStatus(has_data=False)
    response = await client.get("/-/ready")
    assert response.status_code == 503 and error_of(response).startswith("nothing is watched: ")
    server.status = MonitorStatus()
    assert await json_of(client, "/-/ready") == {"ready": True, "pending": []}
    server.status = MonitorStatus(pending=["account staging"])
    assert await json_of(client, "/-/ready") == {"ready": True, "pending": ["account staging"]}


async def test_a_reload_is_confirmed(server: Server, client: httpx.AsyncClient) -> None:
    response = await client.post("/-/reload")
    assert (response.status_code, response.json(), server.reload_count) == (200, {"reloaded": True}, 1)


async def test_a_rejected_reload_returns_the_problems(server: Server, client: httpx.AsyncClient) -> None:
    async def reject() -> None:
        raise ConfigError(["headroom.yaml: regoins: unknown key", "headroom.yaml: band.low: expected 1"])

    server.on_reload = reject
    response = await client.post("/-/reload")
    assert response.status_code == 422
    sentence = "headroom.yaml: regoins: unknown key; headroom.yaml: band.low: expected 1"
    assert error_of(response) == sentence


async def chunked_body() -> AsyncIterator[bytes]:
    """Yield a body; as httpx does not know its length, it sends chunks without a Content-Length."""
    yield b"some"


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_an_unexpected_body_is_rejected(
    server: Server, client: httpx.AsyncClient, is_chunked: bool
) -> None:
    response = await client.post("/-/reload", content=chunked_body() if is_chunked else b"some")
    assert response.status_code == 413
    assert error_of(response) == "expected no body"
    assert server.reload_count == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "part_of_sentence"),
    [
        ("GET", "/nothing", 404, "/nothing"),
        ("GET", "/metrics/", 404, "/metrics/"),
        ("GET", "/api/v1/series/unknown", 404, "unknown"),
        ("GET", "/-/reload", 405, "/-/reload allows POST, not GET"),
        ("POST", "/metrics", 405, "/metrics allows GET, not POST"),
        ("GET", "/api/v1/series?limit=0", 422, "limit"),
        ("GET", "/api/v1/series?limit=many", 422, "limit"),
        ("GET", "/api/v1/series?zone=high", 422, "zone: "),
        ("GET", "/api/v1/series?sort=name", 422, "sort"),
        ("GET", "/api/v1/series?zne=above", 422, "zne"),
        ("GET", "/api/v1/series?cursor=abc", 422, "cursor"),
    ],
)
async def test_errors_have_a_status_and_a_sentence(
    client: httpx.AsyncClient, method: str, path: str, status: int, part_of_sentence: str
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    assert part_of_sentence in error_of(response)


async def test_an_unexpected_exception_is_answered_without_its_text(
    server: Server, client: httpx.AsyncClient
) -> None:
    async def fail() -> None:
        raise RuntimeError("a secret")

    server.on_reload = fail
    response = await client.post("/-/reload")
    assert response.status_code == 500
    assert "secret" not in error_of(response)


async def test_openapi_has_one_model_of_all_errors(client: httpx.AsyncClient) -> None:
    openapi = await json_of(client, "/openapi.json")
    assert "HTTPValidationError" not in openapi["components"]["schemas"]
    for methods in openapi["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    reference = response["content"]["application/json"]["schema"]["$ref"]
                    assert reference == "#/components/schemas/ErrorModel"
