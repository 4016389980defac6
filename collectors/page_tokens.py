"""The members of requests and responses that hold the token of a page, where botocore has no paginator."""

from collections.abc import Container, Iterable

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
    ("Token", "NextToken"),
)


def token_members(taken: Container[str], returned: Iterable[str]) -> tuple[str, str] | None:
    """Return the member of a request that takes a token, and that of its response that holds the next one.

    taken, returned: the members of both; a member of a member of the response is `FunctionList.NextMarker`.
    None where they have no such pair.
    """
    by_name = {path.rpartition(".")[2]: path for path in sorted(returned, key=len, reverse=True)}
    pairs = (pair for pair in TOKEN_MEMBERS if pair[0] in taken and pair[1] in by_name)
    return next(((name, by_name[token]) for name, token in pairs), None)
