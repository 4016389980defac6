"""The limits of the size of one body, and of all bodies in progress together."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from monitor.http.errors import MAX_BODY_BYTES, BodyLimitMiddleware
from monitor.lib.byte_budget import MIN_RESERVATION

MAX_BYTES = 3 * MAX_BODY_BYTES


def client_of(may_answer: asyncio.Event, waiting_sizes: list[int]) -> httpx.AsyncClient:
    """A client of an application that reads a body, notes its size, and answers once `may_answer` is set."""

    async def answer_size(request: Request) -> PlainTextResponse:
        size = len(await request.body())
        waiting_sizes.append(size)
        await may_answer.wait()
        return PlainTextResponse(str(size))

    app = Starlette(routes=[Route("/{path}", answer_size, methods=["GET", "POST"])])
    app.add_middleware(BodyLimitMiddleware, exempt_paths=("/exempt",), max_bytes=MAX_BYTES)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_bodies_in_progress_take_bounded_memory_and_release_it_when_they_end() -> None:
    may_answer, waiting_sizes = asyncio.Event(), list[int]()
    async with client_of(may_answer, waiting_sizes) as client, asyncio.timeout(20):
        body = b" " * MAX_BODY_BYTES
        posts = [asyncio.create_task(client.post("/x", content=body)) for _ in range(3)]
        while len(waiting_sizes) < 3:
            await asyncio.sleep(0)
        response = await client.post("/x", content=b"{}")
        assert (response.status_code, response.text) == (503, "busy with other requests; send it again")
        pending_requests = [
            asyncio.create_task(client.get("/x")),
            asyncio.create_task(client.post("/exempt", content=body)),
        ]
        may_answer.set()
        assert {(await request).status_code for request in (*posts, *pending_requests)} == {200}
        assert (await client.post("/x", content=body)).text == str(MAX_BODY_BYTES)


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)])
async def test_a_body_is_bounded(size: int, status: int) -> None:
    may_answer = asyncio.Event()
    may_answer.set()
    async with client_of(may_answer, []) as client:
        assert (await client.post("/x", content=b" " * size)).status_code == status


async def test_many_small_bodies_are_bounded_too() -> None:
    may_answer, waiting_sizes = asyncio.Event(), list[int]()
    max_posts = MAX_BYTES // MIN_RESERVATION
    async with client_of(may_answer, waiting_sizes) as client, asyncio.timeout(20):
        posts = [asyncio.create_task(client.post("/x", content=b"{}")) for _ in range(max_posts)]
        while len(waiting_sizes) < max_posts:
            await asyncio.sleep(0)
        assert (await client.post("/x", content=b"{}")).status_code == 503
        may_answer.set()
        assert {(await post).status_code for post in posts} == {200}
