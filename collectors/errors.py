"""Errors of calls that tell what an account does not have, and are no failures."""

from botocore.exceptions import ClientError, EndpointConnectionError

from monitor.lib.errors import HeadroomError


class ServiceNotOfferedError(HeadroomError, EndpointConnectionError):
    """AWS does not offer a service in a region: its endpoint has no address."""


class ResourceNotFoundError(HeadroomError, ClientError):
    """The resource that a call names does not exist."""
