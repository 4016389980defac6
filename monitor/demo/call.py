"""One request of an AWS client, parsed and answered with moto's routers, parsers and serializers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import UnknownServiceError
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.iam.models import get_account_id_from
from starlette.responses import Response
from werkzeug.exceptions import NotFound

CREDENTIAL_SCOPE = re.compile(
    r"Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<signing_name>[^/]+)/aws4_request"
)
# botocore's names of the services that sign with another name.
SERVICE_BY_SIGNING_NAME = {"monitoring": "cloudwatch", "servicequotas": "service-quotas"}
NO_CLIENTS: Mapping[str, Iterable[str]] = {}
# moto's ServiceModel caches operations under the same attribute as its base class in botocore. Without the
# lock, another thread may find botocore's operation in the cache, which lacks what moto needs.
ROUTING_LOCK = Lock()


@dataclass(frozen=True, slots=True)
class CredentialScope:
    """The account, the region and the service that a request was signed for.

    signing_name: the name of the service in signatures.
    """

    account: str
    region: str
    signing_name: str

    @classmethod
    def of(cls, request: Request) -> "CredentialScope | None":
        """Return the scope of a request; None when it is not signed."""
        scope = CREDENTIAL_SCOPE.search(request.headers.get("Authorization", ""))
        return scope and cls(get_account_id_from(scope["key"]), scope["region"], scope["signing_name"])


@dataclass(frozen=True, slots=True)
class Call:
    """A request for an operation of a service in a region of an account.

    protocol: the protocol of the request and of its response.
    """

    request: Request
    account: str
    region: str
    operation: OperationModel
    path_params: Mapping[str, str]  # parsed from the URL's path
    protocol: str

    @property
    def name(self) -> tuple[str, str]:
        """The service and the operation, by their names in botocore's model."""
        return self.operation.service_model.service_name, self.operation.name

    def params(self) -> dict[str, Any]:
        """Return the parameters of the operation."""
        parser = PROTOCOL_PARSERS[self.protocol](self.operation)
        request = self.request
        parsed: dict[str, Any] = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": dict(self.path_params),
            }
        )
        return parsed

    def respond(self, result: object, status: int | None = None) -> Response:
        """Return a response with `result`, which may be an exception, in the protocol of the call.

        status: the HTTP status; None: the status that moto chooses for the result.
        """
        serializer = get_serializer_class(self.name[0], self.protocol)(operation_model=self.operation)
        serialized = serializer.serialize(result)
        return Response(serialized["body"], status or serialized["status_code"], dict(serialized["headers"]))


def parse_call(request: Request, clients: Mapping[str, Iterable[str]] = NO_CLIENTS) -> Call | None:
    """Parse a request; return None when it is not signed, or botocore does not know the operation.

    clients: by signing name, botocore's names of the clients that sign with it.
    """
    scope = CredentialScope.of(request)
    if scope is None:
        return None
    service = SERVICE_BY_SIGNING_NAME.get(scope.signing_name, scope.signing_name)
    if service == "apigateway" and request.path.startswith("/v2/"):
        service = "apigatewayv2"
    for client in dict.fromkeys((*clients.get(scope.signing_name, ()), service)):
        if found := _match(request, client):
            operation, encoded_params = found
            path_params = {name: unquote(value) for name, value in encoded_params.items()}
            protocol = determine_request_protocol(operation.service_model, request.content_type)
            return Call(request, scope.account, scope.region, operation, path_params, protocol)
    return None


def with_encoded_slashes(url: str) -> str:
    """Return a URL whose path still has its encoded slashes (%2F, as in an ARN) after it was decoded once."""
    path, mark, query = url.partition("?")
    return path.replace("%2F", "%252F") + mark + query


def _match(request: Request, client: str) -> tuple[OperationModel, Mapping[str, str]] | None:
    """Return the operation of a client that matches a request, with the parameters in its path."""
    try:
        with ROUTING_LOCK:
            operation, path_params = get_service_router(client).match(request)
    except (UnknownServiceError, NotFound):
        return None
    # `elb` and `elbv2` share a signing name and names of operations; only the API version differs.
    version = request.values.get("Version", operation.service_model.api_version)
    return (operation, path_params) if version == operation.service_model.api_version else None
