"""The members of requests and responses that hold page tokens, where botocore has no paginator."""

from collections.abc import Container, Iterable

# The member of a request that takes a page token, and the member of the response that holds the next token.
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


def token_members(request_members: Container[str], response_paths: Iterable[str]) -> tuple[str, str] | None:
    """Return the member of a request that takes a page token, and the response's member with the next token.

    request_members: the names of the request's members. response_paths: the paths of the response's members,
    such as `FunctionList.NextMarker`. Returns None if no pair of TOKEN_MEMBERS is among them.
    """
    by_name = {path.rpartition(".")[2]: path for path in sorted(response_paths, key=len, reverse=True)}
    pairs = (pair for pair in TOKEN_MEMBERS if pair[0] in request_members and pair[1] in by_name)
    return next(((name, by_name[token]) for name, token in pairs), None)
