"""The parameters of a question, as the API and the page receive them."""

from typing import Annotated, Any, Self
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_TEXT_LENGTH = 300  # characters of a parameter that is no matcher
MAX_MATCH_LENGTH = 4096  # characters of a parameter `match`
MAX_MATCHES = 16  # parameters `match`
MAX_SERIES = 1000  # in one answer
DEFAULT_SERIES = 50
DEFAULT_TRAFFIC = "2x"

ShortText = Annotated[str, Field(max_length=MAX_TEXT_LENGTH)]


class WhatIfQuery(BaseModel):
    """A question: what breaks when traffic grows, a region fails, a limit changes, or all of these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    traffic: ShortText = Field(
        default="",
        description="The factor by which traffic grows, such as `3x` or `3`; 2 if no parameter asks "
        "anything.",
    )
    match: Annotated[
        list[Annotated[str, Field(max_length=MAX_MATCH_LENGTH)]], Field(max_length=MAX_MATCHES)
    ] = Field(
        default=[],
        description="Matchers in the syntax of silences that select the series whose traffic grows or "
        'moves: `service="lambda"`; repeatable. Labels are account, region, service, signal, resource, '
        "resource_id and exported tags.",
    )
    path: ShortText = Field(
        default="",
        description="The name of a request path: the question is about the limits on it, and about the share "
        "of their usage that its requests make.",
    )
    region_fails: ShortText = Field(default="", description="The region that fails, such as eu-west-1.")
    to: ShortText = Field(
        default="", description="The region that receives the traffic of the failing region."
    )
    set_limit: ShortText = Field(
        default="", description="A signal and its changed limit: `kinesis.stream_write_bytes=4MiB`."
    )
    resource: ShortText = Field(
        default="", description="The name or id of the resource whose limit `set_limit` changes."
    )
    counts: bool = Field(
        default=False,
        description="Whether series that do not follow traffic (numbers of things, stored amounts) grow, "
        "too.",
    )
    limit: int = Field(
        default=DEFAULT_SERIES, ge=1, le=MAX_SERIES, description="The highest number of series in the answer."
    )

    @field_validator("match", mode="before")
    @classmethod
    def _without_empty_matchers(cls, match: Any) -> Any:
        return [matcher for matcher in match if matcher != ""] if isinstance(match, list) else match

    @property
    def or_default(self) -> Self:
        """The question; by default, what breaks when traffic doubles."""
        is_asked = self.traffic or self.region_fails or self.to or self.set_limit
        return self if is_asked else self.model_copy(update={"traffic": DEFAULT_TRAFFIC})

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The parameters that are set, for an address."""
        pairs = [
            ("traffic", self.traffic),
            ("path", self.path),
            *(("match", matcher) for matcher in self.match),
            ("region_fails", self.region_fails),
            ("to", self.to),
            ("set_limit", self.set_limit),
            ("resource", self.resource),
            ("counts", "true" if self.counts else ""),
            ("limit", str(self.limit) if self.limit != DEFAULT_SERIES else ""),
        ]
        return [(name, value) for name, value in pairs if value]

    def url(self, path: str, **changes: Any) -> str:
        """Return the address of the question with some changes."""
        pairs = self.model_copy(update=changes).parameters
        return f"{path}?{urlencode(pairs, errors='replace')}" if pairs else path
