"""The front of the demo's AWS: what the world declares is answered here, all else by moto underneath."""

import asyncio
import time
from collections.abc import Mapping

import orjson
from moto.core.request import Request as MotoRequest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from werkzeug.wrappers import Response as WsgiResponse

from monitor.demo.call import Call, understand
from monitor.demo.cloudwatch import CloudWatch
from monitor.demo.region import Answer, AwsError, Region
from monitor.demo.services import SERVICES

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
DENIALS = {"ec2": "UnauthorizedOperation", "query": "AccessDenied", "rest-xml": "AccessDenied"}
NOT_ENABLED = Region("", denied=True)  # what every region is that the world does not have
NEVER_DENIED = ("sts", "GetCallerIdentity")  # AWS answers it whatever the policies say
GET_METRIC_DATA = ("cloudwatch", "GetMetricData")
ANSWERS: Mapping[tuple[str, str], Answer] = {
    (service.name, operation): answer for service in SERVICES for operation, answer in service.answers.items()
}


class Front:
    """Answers requests for the regions of a world, from threads of the event loop."""

    def __init__(self, world: Mapping[str, Region]) -> None:
        self.world = world
        self.metrics = {name: CloudWatch(region) for name, region in world.items()}
        self.moto = DomainDispatcherApplication(create_backend_app)

    async def __call__(self, request: Request) -> Response:
        asked = (request.method, str(request.url), dict(request.headers), await request.body())
        return await asyncio.to_thread(self.answer, *asked)

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        call = understand(MotoRequest.from_primitives(method, url, headers, body))
        if call:
            region = self.world.get(call.region, NOT_ENABLED)
            if region.denied and call.name != NEVER_DENIED:
                return call.respond(denial(call), 403)
            if call.name == GET_METRIC_DATA or call.name in ANSWERS:
                return self.ours(call, region, body)
        return self.from_moto(MotoRequest.from_primitives(method, url, headers, body))

    def ours(self, call: Call, region: Region, body: bytes) -> Response:
        now = time.time()
        try:
            if call.name == GET_METRIC_DATA:
                data = self.metrics[region.name].get_metric_data(orjson.loads(body), now)
                return Response(data, media_type="application/x-amz-json-1.0")
            return call.respond(ANSWERS[call.name](region, call.params(), now))
        except AwsError as error:
            return call.respond(error)

    def from_moto(self, request: MotoRequest) -> Response:
        answer = WsgiResponse.from_app(self.moto, request.environ, buffered=True)
        return Response(answer.data, answer.status_code, dict(answer.headers))


def denial(call: Call) -> AwsError:
    service, operation = call.name
    message = f"User is not authorized to perform: {service}:{operation} with an explicit deny"
    return AwsError(DENIALS.get(call.protocol, "AccessDeniedException"), message)


def app(world: Mapping[str, Region]) -> Starlette:
    """The ASGI application; the world must have been seeded."""
    front = Front(world)

    async def endpoint(request: Request) -> Response:
        return await front(request)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=METHODS)])
