"""API Gateway's HTTP and WebSocket APIs: moto keeps them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.demo.metric import EVENTS, Emitted
from monitor.demo.region import Region, Service
from monitor.demo.services.apigateway import errors
from monitor.demo.traffic import Floats, Minutes, Traffic

CONNECTIONS = 0.1  # new ones for each message


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpApi:
    """An HTTP or WebSocket API with one stage; `traffic` is a share of `per_second`."""

    name: str
    per_second: float  # requests, or messages
    traffic: Traffic
    throttled: bool = False  # `per_second` is configured as the stage's default throttle
    routes: Mapping[str, float | None] = field(default_factory=dict)  # key -> its throttle, per second
    web_socket: bool = False

    @property
    def stage(self) -> str:
        return "live" if self.web_socket else "$default"

    def requests(self, minutes: Minutes) -> Floats:
        return self.traffic.at(self.name, minutes) * self.per_second * 60

    def errors(self, minutes: Minutes) -> Floats:
        return errors(self.requests(minutes), self.per_second if self.throttled else float("inf"))


def counts(api: HttpApi) -> dict[str, Callable[[Minutes], Floats]]:
    if not api.web_socket:
        return {"Count": api.requests, "4xx": api.errors}
    return {
        "MessageCount": api.requests,
        "ConnectCount": lambda m: CONNECTIONS * api.requests(m),
        "ClientError": api.errors,
    }


def emitted(region: Region) -> Iterator[Emitted]:
    for api in region.all(HttpApi):
        whole = {"ApiId": region.ids[api.name]}
        for where in (whole, whole | {"Stage": api.stage}):
            for name, at in counts(api).items():
                yield Emitted("AWS/ApiGateway", name, where, EVENTS, at)


def seed(region: Region, client: Any) -> None:
    for api in region.all(HttpApi):
        how = (
            {"ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}
            if api.web_socket
            else {"ProtocolType": "HTTP"}
        )
        region.ids[api.name] = made = client.create_api(Name=api.name, **how)["ApiId"]
        for route in api.routes:
            client.create_route(ApiId=made, RouteKey=route)
        client.create_stage(ApiId=made, StageName=api.stage, **settings(api))


def settings(api: HttpApi) -> dict[str, Any]:
    """The throttles of the stage and of its routes."""
    default = {"DefaultRouteSettings": throttle(api.per_second)} if api.throttled else {}
    routes = {key: throttle(limit) for key, limit in api.routes.items() if limit}
    return default | ({"RouteSettings": routes} if routes else {})


def throttle(per_second: float) -> dict[str, float]:
    return {"ThrottlingRateLimit": per_second, "ThrottlingBurstLimit": int(2 * per_second)}


SERVICE = Service(name="apigatewayv2", emitted=emitted, seed=seed)
