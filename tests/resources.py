"""Creates resources from text, for tests in which their kind does not matter."""

from collectors.base import ACCOUNT, Resource


def resource(text: str) -> Resource:
    """Return the resource `a`, for `a/b` the child `b` of `a`, and for an empty text the account."""
    return Resource("thing", tuple(text.split("/", 1))) if text else ACCOUNT
