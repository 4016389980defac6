"""The API of undecodable pieces: parts of Firehose's requests that could not be decoded."""

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from monitor.api.models import ListModel
from monitor.api.timestamps import utc_datetime
from monitor.stream.dead_letters import DeadLetterStore


class StreamDeadLetterModel(BaseModel):
    """A piece of a request of Firehose that could not be decoded: a line, a message or a record."""

    at: datetime = Field(description="The time at which the piece was received.")
    request: str = Field(description="The id of Firehose's request.")
    source: str = Field(description="The ARN of the delivery stream, from the request.")
    format: str = Field(description="The format: `json`, `otlp`, or `record` if the record was not base64.")
    reason: str = Field(description="The reason why the piece could not be decoded.")
    piece: str = Field(description="The first bytes of the piece, as text.")


class StreamDeadLetterList(ListModel):
    """The latest pieces that could not be decoded, the newest first.

    total: the number of undecodable pieces since Headroom started.
    """

    items: Sequence[StreamDeadLetterModel]


def stream_router(dead_letters: DeadLetterStore) -> APIRouter:
    """Return the router of /api/v1/stream/dead-letters."""
    router = APIRouter(prefix="/api/v1/stream", tags=["Metrics"])

    @router.get("/dead-letters", summary="List undecodable pieces of Firehose requests")
    async def list_dead_letters() -> StreamDeadLetterList:
        """List the latest pieces of Firehose's requests that could not be decoded, and why."""
        items = [
            StreamDeadLetterModel(
                at=utc_datetime(letter.at),
                request=letter.request,
                source=letter.source,
                format=letter.format,
                reason=letter.reason,
                piece=letter.piece,
            )
            for letter in dead_letters.latest()
        ]
        return StreamDeadLetterList(items=items, total=dead_letters.count)

    return router
