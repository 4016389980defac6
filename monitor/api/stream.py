"""The route of the stream's dead letters: parts of deliveries that could not be decoded."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from monitor.stream.dead_letters import DeadLetterStore


class StreamDeadLetterModel(BaseModel):
    """A part of a delivery that could not be decoded."""

    at: float = Field(description="When it was received, in epoch seconds.")
    request: str = Field(description="The request id of Firehose.")
    source: str = Field(description="The ARN of the delivery stream, from the request.")
    format: str = Field(description="json, otlp, or record if it was not base64.")
    reason: str = Field(description="Why it could not be decoded.")
    piece: str = Field(description="The beginning of the part.")


class StreamDeadLetterList(BaseModel):
    """The latest parts that could not be decoded, the newest first."""

    total: int = Field(description="The number of such parts since the start.")
    items: list[StreamDeadLetterModel]


def create_router(dead_letters: DeadLetterStore) -> APIRouter:
    """Return the routes: GET /api/v1/stream/dead-letters."""
    router = APIRouter(prefix="/api/v1/stream")

    @router.get("/dead-letters")
    async def list_dead_letters() -> StreamDeadLetterList:
        """List the latest parts of the stream that could not be decoded, and why."""
        items = [
            StreamDeadLetterModel.model_validate(one, from_attributes=True) for one in dead_letters.latest()
        ]
        return StreamDeadLetterList(total=dead_letters.count, items=items)

    return router
