"""Pages of responses: how the next page is requested, and how many pages are accepted."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from botocore.exceptions import PaginationError, UnknownServiceError

from collectors.page_tokens import token_members

MAX_PAGES = 2_000  # pages of one request; the smallest pages of AWS have 50 items
# A collector requests some thousand points at a time; a page of GetMetricData holds 100,800 points.
MAX_PAGES_OF_OPERATION: Mapping[str, int] = {"GetMetricData": 10}

Page = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pagination:
    """The way to request the next page of an operation, in the words of botocore's paginators.

    input_token: the parameter of the request that takes the token. output_token: the member of the response
    that holds the token. more_results: the member of the response that is true if there is another page;
    empty if only the token shows this. further_tokens: for operations with several tokens, pairs of a further
    parameter of the request and the member of the response that holds its value. Members are JMESPaths.
    """

    input_token: str
    output_token: str
    more_results: str = ""
    further_tokens: tuple[tuple[str, str], ...] = ()

    def next_page(self, page: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the parameters that request the page after this one; None after the last page."""
        token = _member_at(page, self.output_token)
        if not token or (self.more_results and _member_at(page, self.more_results) is False):
            return None
        further = {parameter: _member_at(page, member) for parameter, member in self.further_tokens}
        return {self.input_token: token} | {name: value for name, value in further.items() if value}


def _member_at(page: Mapping[str, Any], path: str) -> Any:
    """Return the member of a page at a JMESPath; most paths are the name of a member."""
    return page.get(path) if path.isidentifier() else jmespath.search(path, page)


def pagination_from_model(loader: Any, service: str, operation: str) -> Pagination | None:
    """Return the pagination of an operation, by botocore's files; None if it has no pages.

    Many operations that have pages have no paginator in botocore's files: 140 of the 850 lists by which
    resources are counted. For these operations, the names of the members of the request and of the response
    show which members hold the tokens.

    loader: botocore's loader, which reads the files.
    """
    try:
        paginators = loader.load_service_model(service, "paginators-1")["pagination"]
    except UnknownServiceError:
        paginators = {}
    if paginator := paginators.get(operation):
        return pagination_of_paginator(paginator)
    model = loader.load_service_model(service, "service-2")
    request_members, response_members = (
        _member_paths(model, operation, part) for part in ("input", "output")
    )
    tokens = token_members(request_members, response_members)
    return Pagination(*tokens) if tokens else None


def _member_paths(model: Mapping[str, Any], operation: str, part: str) -> Collection[str]:
    """Return the paths of an operation's members: `member`, and `member.member` for a nested member.

    part: `input` for the members of the request, `output` for the members of the response.
    """
    members = _member_shapes(model, model["operations"].get(operation, {}).get(part, {}).get("shape", ""))
    nested = {
        f"{name}.{member}" for name, shape in members.items() for member in _member_shapes(model, shape)
    }
    return {*members, *nested}


def _member_shapes(model: Mapping[str, Any], shape: str) -> Mapping[str, str]:
    """Return the shape of each member of a structure, by the member's name; empty for any other shape."""
    members = model["shapes"].get(shape, {}).get("members", {})
    return {name: member["shape"] for name, member in members.items()}


def pagination_of_paginator(paginator: Mapping[str, Any]) -> Pagination:
    """Return the pagination of a paginator of botocore. Some operations of Route 53 have several tokens."""
    inputs, outputs = paginator["input_token"], paginator["output_token"]
    pairs = list(zip(inputs, outputs, strict=True)) if isinstance(inputs, list) else [(inputs, outputs)]
    return Pagination(*pairs[0], paginator.get("more_results", ""), tuple(pairs[1:]))


class PageTokens:
    """The page tokens of one request, each of which may be received once."""

    def __init__(self, max_pages: int = MAX_PAGES) -> None:
        self._max_pages, self._received = max_pages, set[Hashable]()

    def check(self, token: Hashable) -> None:
        """Record a token. Raises PaginationError for a repeated token, or for too many tokens."""
        if token in self._received:
            raise PaginationError(message="the same token of the next page was received twice")
        self._received.add(token)
        if len(self._received) >= self._max_pages:
            raise PaginationError(
                message=f"expected at most {self._max_pages} pages, and there is another one"
            )


async def paginate(
    call: Callable[..., Awaitable[Page]],
    pagination: Pagination | None,
    first: Mapping[str, Any],
    params: Mapping[str, Any],
    max_pages: int = MAX_PAGES,
) -> AsyncIterator[Page]:
    """Yield the responses of all pages.

    pagination: None if the operation has no pages. first: parameters of the first request only. params:
    parameters of every request. Raises as `call` does, and PaginationError if there are more pages than
    `max_pages`.
    """
    tokens = PageTokens(max_pages)
    page = await call(**first, **params)
    yield page
    while pagination and (next_params := pagination.next_page(page)):
        tokens.check(tuple(next_params.values()))
        page = await call(**params, **next_params)
        yield page
