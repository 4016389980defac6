"""The JSON API of the stream, thin: what could not be decoded."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from monitor.stream.ingest import Ingest


class Letter(BaseModel):
    """A piece that could not be decoded."""

    at: float = Field(description="When it came, epoch seconds.")
    request: str = Field(description="The id of Firehose's request.")
    source: str = Field(description="The ARN of the delivery stream, as it says.")
    format: str = Field(description="json, otlp, or record when it was no base64.")
    reason: str
    piece: str = Field(description="How it begins.")


class Letters(BaseModel):
    """The latest pieces that could not be decoded, the newest first, and how many there were in all."""

    count: int
    letters: list[Letter]


def create_router(ingest: Ingest) -> APIRouter:
    """GET /api/v1/stream/dead-letters"""
    router = APIRouter(prefix="/api/v1/stream")

    @router.get("/dead-letters")
    async def dead_letters() -> Letters:
        """The latest pieces of the stream that could not be decoded, and why."""
        letters = [Letter.model_validate(one, from_attributes=True) for one in ingest.letters]
        return Letters(count=ingest.letters.count, letters=letters[::-1])

    return router
