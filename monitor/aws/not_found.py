"""Errors for a resource that does not exist: usually it was deleted after it was listed."""

from collections.abc import Mapping

from botocore.exceptions import ClientError

from monitor.lib.errors import HeadroomError

# Error codes by service, from botocore's models of the operations in use. SQS also returns the code of its
# former protocol, in the header x-amzn-query-error.
NOT_FOUND_CODES: Mapping[str, frozenset[str]] = {
    "apigateway": frozenset({"NotFoundException"}),
    "apigatewayv2": frozenset({"NotFoundException"}),
    "kinesis": frozenset({"ResourceNotFoundException"}),
    "lambda": frozenset({"ResourceNotFoundException"}),
    "s3": frozenset({"NoSuchBucket"}),
    "sqs": frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}),
}


class ResourceNotFoundError(HeadroomError, ClientError):
    """The resource that a call names does not exist."""


def not_found_error(service: str, error: Exception) -> ResourceNotFoundError | None:
    """The error as a ResourceNotFoundError; None when it is any other error."""
    if not isinstance(error, ClientError):
        return None
    code = error.response.get("Error", {}).get("Code")
    if code not in NOT_FOUND_CODES.get(service, ()):
        return None
    return ResourceNotFoundError(error.response, error.operation_name)
