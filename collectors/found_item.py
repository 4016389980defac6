"""An item of a list that describes a resource. Nothing but its facts is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors.declaration import ResourceDeclaration
from collectors.expression import ExpressionError


@dataclass(frozen=True, slots=True)
class FoundItem:
    """An item that describes a resource.

    identity: as AWS returned it. name: what people call it; empty without one. counts: its kind's `where`
    holds. error: why the item cannot be read; the facts are then not all there.
    """

    identity: Any = None
    name: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    counts: bool = True
    error: ExpressionError | None = None

    def id_of(self, kind: str) -> str:
        """The id of the resource, of this kind. Raises ExpressionError where the item has none."""
        is_id = isinstance(self.identity, str | int) and not isinstance(self.identity, bool)
        if not is_id or self.identity == "":
            raise ExpressionError(f"expected an id of the {kind}, found {self.identity!r}")
        return str(self.identity)

    def check(self) -> None:
        """Raise ExpressionError where the item cannot be read."""
        if self.error:
            raise self.error.with_traceback(None)


def found_item(declared: ResourceDeclaration, item: Any) -> FoundItem:
    """Return what is kept of an item."""
    identity, name, failed = None, "", None
    try:
        identity = declared.id.search(item)
        name = _text(declared.name.search(item)) if declared.name else ""
    except ExpressionError as error:
        failed = error
    try:
        if declared.where and not declared.where.search(item):
            return FoundItem(counts=False)
        if failed:
            return FoundItem(identity, error=failed)
        facts = {fact: path.search(item) for fact, path in declared.facts.items()}
        return FoundItem(identity, name, facts, tags_of(declared.tags and declared.tags.search(item)))
    except ExpressionError as error:
        return FoundItem(identity, name, error=error)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def tags_of(found: Any) -> dict[str, str]:
    """Return the tags that an item has: as a mapping, or as a list of keys and values."""
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    listed = found if isinstance(found, list) else ()
    tags = ({key.lower(): value for key, value in tag.items()} for tag in listed if isinstance(tag, Mapping))
    return {str(tag["key"]): str(tag.get("value", "")) for tag in tags if "key" in tag}
