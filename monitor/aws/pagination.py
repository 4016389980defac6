"""Pages of responses: how the next one is requested, and the most that are accepted."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from botocore.exceptions import PaginationError, UnknownServiceError

from collectors.page_tokens import token_members

MAX_PAGES = 2_000  # of one request; the smallest pages have 50 items
# A collector requests some thousand points, and a page holds 100,800.
MAX_PAGES_OF_OPERATION: Mapping[str, int] = {"GetMetricData": 10}

Page = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pagination:
    """The rule by which the next page of an operation is requested, in botocore's terms, as JMESPaths.

    input_token: the parameter that takes the token. output_token: the response's member that holds it.
    more_results: the member that is true if there is another page; empty where the token alone shows it.
    further: more parameters that go with the token, each with the member that holds its value.
    """

    input_token: str
    output_token: str
    more_results: str = ""
    further: tuple[tuple[str, str], ...] = ()

    def next_page(self, page: Mapping[str, Any]) -> dict[str, str] | None:
        """The parameters that request the page after this one; None at the end."""
        token = _found(page, self.output_token)
        if not token or (self.more_results and _found(page, self.more_results) is False):
            return None
        further = {parameter: _found(page, member) for parameter, member in self.further}
        return {self.input_token: token} | {name: value for name, value in further.items() if value}


def _found(page: Mapping[str, Any], path: str) -> Any:
    """Return a member of a page, or what the path to a member of a member yields."""
    return page.get(path) if path.isidentifier() else jmespath.search(path, page)


def pagination_from_model(loader: Any, service: str, operation: str) -> Pagination | None:
    """Return how the pages of an operation are requested, by botocore's files; None when it has none.

    Botocore has no paginator for many lists that have pages (of 850 lists that count resources, for 140);
    then the members of the request and the response tell.

    loader: botocore's, which reads the files.
    """
    try:
        paginators = loader.load_service_model(service, "paginators-1")["pagination"]
    except UnknownServiceError:
        paginators = {}
    if paginator := paginators.get(operation):
        return pagination_of_paginator(paginator)
    model = loader.load_service_model(service, "service-2")
    taken, returned = (_members(model, operation, part) for part in ("input", "output"))
    members = token_members(taken, returned)
    return members and Pagination(*members)


def _members(model: Mapping[str, Any], operation: str, part: str) -> Collection[str]:
    """Return the members of an operation's request (`input`) or response (`output`), and their members."""
    members = _members_of(model, model["operations"].get(operation, {}).get(part, {}).get("shape", ""))
    inner = {f"{name}.{one}" for name, shape in members.items() for one in _members_of(model, shape)}
    return {*members, *inner}


def _members_of(model: Mapping[str, Any], shape: str) -> Mapping[str, str]:
    """The shapes of the members of a structure, by name; none of anything else."""
    members = model["shapes"].get(shape, {}).get("members", {})
    return {name: member["shape"] for name, member in members.items()}


def pagination_of_paginator(paginator: Mapping[str, Any]) -> Pagination:
    """Return how pages are requested, by a paginator of botocore; Route 53 has several tokens."""
    given, returned = paginator["input_token"], paginator["output_token"]
    pairs = list(zip(given, returned, strict=True)) if isinstance(given, list) else [(given, returned)]
    return Pagination(*pairs[0], paginator.get("more_results", ""), tuple(pairs[1:]))


class PageTokens:
    """The page tokens of one request, each of which may be received once."""

    def __init__(self, max_pages: int = MAX_PAGES) -> None:
        self._max_pages, self._received = max_pages, set[Hashable]()

    def check(self, token: Hashable) -> None:
        """Record a token. Raises PaginationError for a repeated one, or for one too many."""
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
