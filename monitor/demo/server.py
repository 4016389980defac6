"""The HTTP server of the simulated AWS: simulated operations are answered here, others by moto."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

import orjson
from moto.core.request import Request as MotoRequest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from werkzeug.wrappers import Response as WsgiResponse

from monitor.aws.billing import GET_METRIC_DATA, LIST_METRICS
from monitor.demo.call import Call, CredentialScope, parse_call, with_encoded_slashes
from monitor.demo.cbor import cbor_denial, is_cbor
from monitor.demo.cloudwatch import DemoCloudWatch
from monitor.demo.denial import denial, unknown_call_denial
from monitor.demo.region import AwsResponseError, DemoRegion, DemoService, OperationHandler
from monitor.demo.services import SERVICES

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
NOT_ENABLED = DemoRegion("", denied=True)  # used for every region that is not in the world
ALWAYS_ALLOWED = ("sts", "GetCallerIdentity")  # AWS allows it whatever the policies say
METRIC_OPERATIONS = (GET_METRIC_DATA, LIST_METRICS)


class DemoAws:
    """Answers requests to the regions of accounts, in threads, so that the event loop is not blocked."""

    def __init__(self, regions: Iterable[DemoRegion], services: Sequence[DemoService]) -> None:
        self.regions = {(region.account, region.name): region for region in regions}
        self.cloudwatches = {key: DemoCloudWatch(region, services) for key, region in self.regions.items()}
        self.operations: Mapping[tuple[str, str], OperationHandler] = {
            (service.name, operation): handler
            for service in services
            for operation, handler in service.operations.items()
        }
        self.clients: dict[str, list[str]] = {}  # botocore's names of clients, by signing name
        for service in services:
            self.clients.setdefault(service.signing_name, []).append(service.name)
        self.moto = DomainDispatcherApplication(create_backend_app)

    async def __call__(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii")  # the path in `request.url` is decoded
        url = f"{request.url.scheme}://{request.url.netloc}{path}"
        url = f"{url}?{request.url.query}" if request.url.query else url
        arguments = (request.method, url, dict(request.headers), await request.body())
        return await asyncio.to_thread(self.respond, *arguments)

    def respond(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Return the response to a request. Call it in a thread, as it blocks."""
        if is_cbor(headers):
            return cbor_denial(url, headers)
        request = MotoRequest.from_primitives(method, with_encoded_slashes(url), headers, body)
        scope, call = CredentialScope.of(request), parse_call(request, self.clients)
        region = self.regions.get((scope.account, scope.region), NOT_ENABLED) if scope else None
        if scope and region and region.denied and not (call and call.name == ALWAYS_ALLOWED):
            return denial(call) if call else unknown_call_denial(request, scope)
        if call and region and (call.name in METRIC_OPERATIONS or call.name in self.operations):
            return self.simulate(call, region, body)
        # moto gets the URL as the client sent it: its encoded slashes are not encoded a second time.
        forwarded = MotoRequest.from_primitives(method, url, headers, body)
        if call is None:
            return self.forward_to_moto(forwarded)
        try:
            response = self.forward_to_moto(forwarded)
        except NotImplementedError:
            return denial(call)
        # moto returns an HTML page for a path of which it knows no operation.
        is_html = response.headers["content-type"].startswith("text/html")
        is_unknown_path = is_html and response.status_code == HTTPStatus.NOT_FOUND
        return denial(call) if is_unknown_path else response

    def simulate(self, call: Call, region: DemoRegion, body: bytes) -> Response:
        """Return the response of an operation that the demo simulates."""
        now, cloudwatch = time.time(), self.cloudwatches[region.account, region.name]
        try:
            if call.name == GET_METRIC_DATA:
                data = cloudwatch.get_metric_data(orjson.loads(body), now)
                return Response(data, media_type="application/x-amz-json-1.0")
            if call.name == LIST_METRICS:
                return call.respond(cloudwatch.list_metrics(call.params(), now))
            return call.respond(self.operations[call.name](region, call.params(), now))
        except AwsResponseError as error:
            return call.respond(error, 403 if error.is_denial else None)

    def forward_to_moto(self, request: MotoRequest) -> Response:
        """Return the response of moto."""
        response = WsgiResponse.from_app(self.moto, request.environ, buffered=True)
        return Response(response.data, response.status_code, dict(response.headers))


def create_app(regions: Iterable[DemoRegion], services: Sequence[DemoService] = SERVICES) -> Starlette:
    """Return the ASGI application for seeded regions and their services."""
    aws = DemoAws(regions, services)

    async def endpoint(request: Request) -> Response:
        return await aws(request)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=METHODS)])
