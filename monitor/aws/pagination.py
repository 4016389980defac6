"""Pages of responses: how the next page is requested, and how many pages are accepted."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from botocore.exceptions import PaginationError, UnknownServiceError

from collectors.page_tokens import token_members

MAX_PAGES = 2_000  # pages of one request; the smallest pages of AWS have 50 items
# A collector requests some thousand points at a time; a page of GetMetricData holds 100,800.
MAX_PAGES_OF_OPERATION: Mapping[str, int] = {"GetMetricData": 10}

Page = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pagination:
    """The rule by which the next page of an operation is requested, in botocore's terms, as JMESPaths.

    input_token: the parameter of the request that takes the token. output_token: the member of the response
    that holds the token. more_results: the member that is true if there is another page; empty if the token
    alone shows this. further: more parameters of the request, each with the response's member for its value.
    """

    input_token: str
    output_token: str
    more_results: str = ""
    further: tuple[tuple[str, str], ...] = ()

    def next_page(self, page: Mapping[str, Any]) -> dict[str, str] | None:
        """The parameters that request the page after this one; None at the end."""
        token = _member_at(page, self.output_token)
        if not token or (self.more_results and _member_at(page, self.more_results) is False):
            return None
        further = {parameter: _member_at(page, member) for parameter, member in self.further}
        return {self.input_token: token} | {name: value for name, value in further.items() if value}


def _member_at(page: Mapping[str, Any], path: str) -> Any:
    """Return the member of a page at a JMESPath; most paths are the name of a member."""
    return page.get(path) if path.isidentifier() else jmespath.search(path, page)


def pagination_from_model(loader: Any, service: str, operation: str) -> Pagination | None:
    """Return the pagination of an operation, by botocore's files; None if it has no pages.

    Botocore has no paginator for many lists that have pages (140 of 850 lists that count resources). For
    these lists, the members of the request and of the response show the tokens.

    loader: botocore's loader, which reads the files.
    """
    try:
        paginators = loader.load_service_model(service, "paginators-1")["pagination"]
    except UnknownServiceError:
        paginators = {}
    if paginator := paginators.get(operation):
        return pagination_of_paginator(paginator)
    model = loader.load_service_model(service, "service-2")
    requested, returned = (_members(model, operation, part) for part in ("input", "output"))
    tokens = token_members(requested, returned)
    return tokens and Pagination(*tokens)


def _members(model: Mapping[str, Any], operation: str, part: str) -> Collection[str]:
    """Return the members of an operation's request (`input`) or response (`output`), and their members."""
    members = _members_of(model, model["operations"].get(operation, {}).get(part, {}).get("shape", ""))
    inner = {f"{name}.{member}" for name, shape in members.items() for member in _members_of(model, shape)}
    return {*members, *inner}


def _members_of(model: Mapping[str, Any], shape: str) -> Mapping[str, str]:
    """Return the shapes of the members of a structure, by name; empty if the shape is no structure."""
    members = model["shapes"].get(shape, {}).get("members", {})
    return {name: member["shape"] for name, member in members.items()}


def pagination_of_paginator(paginator: Mapping[str, Any]) -> Pagination:
    """Return the pagination of a paginator of botocore. Operations of Route 53 have several tokens."""
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
    paging: Pagination | None,
    first: Mapping[str, Any],
    params: Mapping[str, Any],
    max_pages: int = MAX_PAGES,
) -> AsyncIterator[Page]:
    """Yield the responses of all pages.

    first: parameters of the first page alone; `params` go with every page. Raises as `call` does, and
    PaginationError when the pages do not end after `max_pages`.
    """
    tokens = PageTokens(max_pages)
    page = await call(**first, **params)
    yield page
    while paging and (following := paging.next_page(page)):
        tokens.check(tuple(following.values()))
        page = await call(**params, **following)
        yield page
