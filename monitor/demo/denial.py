"""Denials of calls in the protocols of their clients, also of services that the demo does not know."""

import json
from typing import Final
from xml.sax.saxutils import escape

from moto.core.request import Request
from starlette.responses import Response

from collectors.iam_actions import iam_action as action_of_operation
from monitor.demo.call import Call, CredentialScope
from monitor.demo.region import AwsResponseError

STATUS: Final = 403
# By protocol, the error code of a denial. `ec2` is the protocol that only the service EC2 has.
DENIAL_CODES: Final = {
    "ec2": "UnauthorizedOperation",
    "query": "AccessDenied",
    "rest-xml": "AccessDenied",
}
JSON_CODE: Final = "AccessDeniedException"
QUERY_ERROR: Final = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    "<RequestId>demo</RequestId></ErrorResponse>"
)


def denial(call: Call) -> Response:
    """Return the response that denies a call."""
    error = AwsResponseError(DENIAL_CODES.get(call.protocol, JSON_CODE), _message(iam_action(call)))
    return call.respond(error, STATUS)


def iam_action(call: Call) -> str:
    """Return the IAM action that allows a call. API Gateway names its actions after HTTP methods."""
    service, operation = call.name
    if service in ("apigateway", "apigatewayv2"):
        return f"apigateway:{call.request.method}"
    return action_of_operation(service, operation)


def unknown_call_denial(request: Request, scope: CredentialScope) -> Response:
    """Return the response that denies a signed request whose operation is not known.

    The protocol follows from the request: JSON with a target, a form with an action, or REST with JSON.
    """
    target, action = request.headers.get("X-Amz-Target", ""), request.values.get("Action", "")
    operation = target.rpartition(".")[2] or action or f"{request.method} {request.path}"
    message = _message(f"{scope.signing_name}:{operation}")
    if action and not target:
        return Response(QUERY_ERROR.format(message=escape(message)), STATUS, media_type="text/xml")
    body = json.dumps({"__type": JSON_CODE, "message": message})
    headers = {"x-amzn-ErrorType": JSON_CODE}
    return Response(body, STATUS, headers, request.headers.get("Content-Type") or "application/json")


def _message(action: str) -> str:
    return f"User is not authorized to perform: {action} with an explicit deny"
