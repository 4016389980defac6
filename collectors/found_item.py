"""An item of a list that describes a resource, without the members that the declaration does not read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors.declaration import ResourceDeclaration
from collectors.expression import ExpressionError


@dataclass(frozen=True, slots=True)
class FoundItem:
    """An item that describes a resource.

    identity: the id as AWS returned it. name: the display name; empty if there is none. is_included: whether
    the `where` of its kind holds. error: why the item cannot be read; its facts are incomplete then.
    """

    identity: Any = None
    name: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    is_included: bool = True
    error: ExpressionError | None = None

    def id_of(self, kind: str) -> str:
        """Return the id of the resource. Raises ExpressionError, which names the kind, if there is no id."""
        is_id = isinstance(self.identity, str | int) and not isinstance(self.identity, bool)
        if not is_id or self.identity == "":
            raise ExpressionError(f"expected an id of the {kind}, found {self.identity!r}")
        return str(self.identity)

    def check(self) -> None:
        """Raise ExpressionError if the item cannot be read."""
        if self.error:
            raise self.error.with_traceback(None)


def found_item(declared: ResourceDeclaration, item: Any) -> FoundItem:
    """Read an item by the declaration of its kind."""
    identity, name, id_error = None, "", None
    try:
        identity = declared.id.search(item)
        name = _text(declared.name.search(item)) if declared.name else ""
    except ExpressionError as error:
        id_error = error  # an item that `where` excludes needs no id
    try:
        if declared.where and not declared.where.search(item):
            return FoundItem(is_included=False)
        if id_error:
            return FoundItem(identity, error=id_error)
        facts = {fact: path.search(item) for fact, path in declared.facts.items()}
        return FoundItem(identity, name, facts, tags_of(declared.tags and declared.tags.search(item)))
    except ExpressionError as error:
        return FoundItem(identity, name, error=error)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def tags_of(answer: Any) -> dict[str, str]:
    """Return tags by key. answer: AWS's mapping of tags, or its list of keys and values."""
    if isinstance(answer, Mapping):
        return {str(key): str(value) for key, value in answer.items()}
    items = answer if isinstance(answer, list) else ()
    tags = ({key.lower(): value for key, value in tag.items()} for tag in items if isinstance(tag, Mapping))
    return {str(tag["key"]): str(tag.get("value", "")) for tag in tags if "key" in tag}
