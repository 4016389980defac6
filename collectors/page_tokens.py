"""The members of requests and responses that hold the token of a page, where botocore has no paginator."""

from collections.abc import Container

# The member of a request that takes the token of a page, and that of the response that holds the next one's.
TOKEN_MEMBERS = (
    ("NextToken", "NextToken"),
    ("nextToken", "nextToken"),
    ("Marker", "Marker"),
    ("Marker", "NextMarker"),
    ("NextMarker", "NextMarker"),
    ("PaginationToken", "PaginationToken"),
    ("PageToken", "NextPageToken"),
    ("position", "position"),
)


def token_members(taken: Container[str], returned: Container[str]) -> tuple[str, str] | None:
    """Return the member of a request that takes a token, and that of its response that holds the next one.

    taken, returned: the members of both. None where they have no such pair.
    """
    return next((pair for pair in TOKEN_MEMBERS if pair[0] in taken and pair[1] in returned), None)
