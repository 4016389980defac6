"""Creates resources from text, for tests in which their kind does not matter."""

from collections.abc import Sequence

from collectors.base import ACCOUNT, Resource
from rules.command_template import PLACEHOLDER
from rules.signals import Signal


def resource(text: str) -> Resource:
    """Return for `a` the resource `a`, for `a/b` its child `b`, and for an empty text the account."""
    return Resource("thing", tuple(text.split("/", 1))) if text else ACCOUNT


def resource_for(signal: Signal, path: Sequence[str]) -> Resource:
    """Return a resource with these ids, whose kinds are those that the command of a signal names."""
    placeholders = PLACEHOLDER.findall(signal.command.run) if signal.command else ()
    other_placeholders = ("region", "account_id", "partition", "suffix", "number")
    kinds = [name for name in placeholders if name not in other_placeholders] or ["thing"]
    return Resource(kinds[-1], tuple(path[: len(kinds)]), parent_kinds=tuple(kinds[:-1]))
