"""Errors for a resource that does not exist: usually it was deleted after it was listed."""

import re
from collections.abc import Collection, Mapping

from botocore.exceptions import ClientError

from collectors.errors import ResourceNotFoundError

# Codes that the models of the operations in use do not name. SQS also returns the code of its former
# protocol, in the header x-amzn-query-error.
UNMODELLED_CODES: Mapping[str, frozenset[str]] = {
    "s3": frozenset({"NoSuchBucket"}),
    "sqs": frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}),
}
NOT_FOUND = re.compile(r"NotFound(Exception|Fault)?$|^NoSuch|NotExist$|NonExistent")
# Services whose resources come from the catalogue and not from a list of AWS, so that a missing resource (a
# quota) is a failure.
NOT_LISTED = frozenset({"service-quotas"})
KEY_NOT_FOUND = re.compile(r"^KMS|^Kms")  # a missing KMS key is not a missing resource


def not_found_code(error: Exception) -> str | None:
    """Return the code of an error that may mean a missing resource; None for any other error."""
    if not isinstance(error, ClientError):
        return None
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if NOT_FOUND.search(code) and not KEY_NOT_FOUND.search(code) else None


def not_found_error(
    service: str, error: Exception, modelled: Collection[str]
) -> ResourceNotFoundError | None:
    """Return the error as a ResourceNotFoundError; None for any other error.

    modelled: the codes of the operation's errors by botocore's model. EC2's model has no codes; its errors
    have codes such as InvalidVolume.NotFound.
    """
    code = not_found_code(error)
    if not code or not isinstance(error, ClientError) or service in NOT_LISTED:
        return None
    is_known = code in modelled or code in UNMODELLED_CODES.get(service, ()) or service == "ec2"
    return ResourceNotFoundError(error.response, error.operation_name) if is_known else None
