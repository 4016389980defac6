"""Errors that are no failures: something does not exist in the account, or was not read yet."""

from botocore.exceptions import ClientError, EndpointConnectionError

from monitor.lib.errors import HeadroomError


class ServiceNotOfferedError(HeadroomError, EndpointConnectionError):
    """AWS does not offer a service in a region: its endpoint has no address."""


class ResourceNotFoundError(HeadroomError, ClientError):
    """The resource that a call names does not exist."""


class NotReadYetError(HeadroomError):
    """A call about a resource was never made, because its turn comes in a later inventory."""
