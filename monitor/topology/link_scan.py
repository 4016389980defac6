"""One scan of a cell for links between resources, with bounded calls whose failures are recorded."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from monitor.aws.cell import Cell
from monitor.aws.failure import AWS_ERRORS, failure_from
from monitor.topology.arns import PathLink, PathNode

MAX_CALLS: Final = 100  # calls of one operation about single resources, in a cell
MAX_LINKS: Final = 5000  # links in a cell


@dataclass(eq=False)
class LinkScan:
    """The links that were found in a cell. failures: sentences about calls and links.

    Both are dictionaries without values: sets that keep their order.
    """

    cell: Cell
    links: dict[PathLink, None] = field(default_factory=dict)
    failures: dict[str, None] = field(default_factory=dict)
    _call_counts: dict[str, int] = field(default_factory=dict)

    @property
    def cell_key(self) -> tuple[str, str]:
        """The account's id and the region of the cell."""
        return self.cell.key

    def node(self, service: str, resource: str, name: str = "") -> PathNode:
        """Return the node of a resource in the account and region of the cell."""
        return PathNode(service, resource, *self.cell_key, name=name if name != resource else "")

    def link(self, source: PathNode | None, target: PathNode | None) -> None:
        """Record a link from `source` to `target`; do nothing if either is None or both are the same."""
        if source is None or target is None or source.identity == target.identity:
            return
        if len(self.links) >= MAX_LINKS:
            self.failures[f"{self._where}: more than {MAX_LINKS:,} links; only the first are used"] = None
            return
        self.links[PathLink(source, target)] = None

    async def items(
        self, service: str, operation: str, key: str, **params: Any
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the mappings among the items of all pages. A failure is recorded and ends the iteration."""
        try:
            async for item in self.cell.list_items(service, operation, key, **params):
                if isinstance(item, Mapping):
                    yield item
        except AWS_ERRORS as error:
            self._fail(error, operation)

    async def items_of_resource(
        self, service: str, operation: str, key: str, **params: Any
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the items of a call about one resource, as `items` does; none after MAX_CALLS such calls."""
        if self._take_call(operation):
            async for item in self.items(service, operation, key, **params):
                yield item

    async def call(self, service: str, operation: str, **params: Any) -> Mapping[str, Any]:
        """Return the response of a call about one resource; empty if it fails, or after MAX_CALLS calls."""
        if not self._take_call(operation):
            return {}
        try:
            return await self.cell.call(service, operation, **params)
        except AWS_ERRORS as error:
            self._fail(error, operation)
            return {}

    def _take_call(self, operation: str) -> bool:
        """Take one of the MAX_CALLS calls of an operation; return false if none is left.

        The first call beyond MAX_CALLS is recorded as a failure.
        """
        self._call_counts[operation] = count = self._call_counts.get(operation, 0) + 1
        if count == MAX_CALLS + 1:
            self.failures[
                f"{self._where}: {operation} was called {MAX_CALLS} times; further calls are left out"
            ] = None
        return count <= MAX_CALLS

    @property
    def _where(self) -> str:
        return "/".join(self.cell_key)

    def _fail(self, error: Exception, operation: str) -> None:
        self.failures[f"{self._where}: {failure_from(error, operation).sentence}"] = None


def text(item: Any, *path: str) -> str:
    """Return the text at a path of members; empty if there is no text."""
    for member in path:
        item = item.get(member) if isinstance(item, Mapping) else None
    return item if isinstance(item, str) else ""


def texts(item: Any, *path: str) -> list[str]:
    """Return the texts in the list at a path of members; empty if there is no list."""
    for member in path:
        item = item.get(member) if isinstance(item, Mapping) else None
    return [element for element in item if isinstance(element, str)] if isinstance(item, list) else []
