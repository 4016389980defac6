"""One request of an AWS client, understood with moto's own routers, parsers and serializers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from botocore.exceptions import UnknownServiceError
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from starlette.responses import Response
from werkzeug.exceptions import NotFound

SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<signer>[^/]+)/aws4_request")
SIGNERS = {
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
}  # the others sign with botocore's name
# moto's ServiceModel keeps the operations it makes under the name by which botocore's, which it asks for
# them, keeps its own: another thread may find botocore's in between, which lacks what moto needs.
ROUTING = Lock()


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of which service in which region, and in which protocol it wants its answer."""

    request: Request
    region: str
    operation: OperationModel
    labels: Mapping[str, str]  # from the path
    protocol: str

    @property
    def name(self) -> tuple[str, str]:
        """Service and operation, as botocore's model calls them."""
        return self.operation.service_model.service_name, self.operation.name

    def params(self) -> dict[str, Any]:
        parser = PROTOCOL_PARSERS[self.protocol](self.operation)
        request = self.request
        parsed: dict[str, Any] = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": dict(self.labels),
            }
        )
        return parsed

    def respond(self, result: object, status: int | None = None) -> Response:
        """The answer, or the error when `result` is an exception, in the protocol of the call."""
        serializer = get_serializer_class(self.name[0], self.protocol)(operation_model=self.operation)
        answer = serializer.serialize(result)
        return Response(answer["body"], status or answer["status_code"], dict(answer["headers"]))


def understand(request: Request) -> Call | None:
    """The call that the request is; None when it is not signed, or for something botocore does not know."""
    scope = SCOPE.search(request.headers.get("Authorization", ""))
    if scope is None:
        return None
    service = SIGNERS.get(scope["signer"], scope["signer"])
    if service == "apigateway" and request.path.startswith("/v2/"):
        service = "apigatewayv2"
    try:
        with ROUTING:
            operation, labels = get_service_router(service).match(request)
    except (UnknownServiceError, NotFound):
        return None
    protocol = determine_request_protocol(operation.service_model, request.content_type)
    return Call(request, scope["region"], operation, labels, protocol)
