"""The demo's HTTP and WebSocket APIs of API Gateway, which moto stores."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.demo.metric import EVENTS, DemoMetric
from monitor.demo.region import DemoRegion, DemoService
from monitor.demo.services.apigateway import client_errors
from monitor.demo.traffic import Minutes, Traffic
from rules.arrays import Float64s

CONNECTIONS_PER_MESSAGE = 0.1  # new connections per message


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoHttpApi:
    """An HTTP or WebSocket API with one stage; `traffic` is a share of `per_second`.

    routes: by route key, the throttle of the route per second; None if the route has no throttle of its own.
    """

    name: str
    per_second: float  # requests, or messages
    traffic: Traffic
    has_throttle: bool = False  # `per_second` is configured as the stage's default throttle
    routes: Mapping[str, float | None] = field(default_factory=dict)
    web_socket: bool = False

    @property
    def stage(self) -> str:
        """The name of the stage."""
        return "live" if self.web_socket else "$default"

    def requests(self, minutes: Minutes) -> Float64s:
        """Return the requests, or messages, in each minute."""
        return self.traffic.demand(self.name, minutes) * self.per_second * 60

    def errors(self, minutes: Minutes) -> Float64s:
        """Return the 4xx responses in each minute."""
        return client_errors(self.requests(minutes), self.per_second if self.has_throttle else float("inf"))


def counts_by_metric(api: DemoHttpApi) -> dict[str, Callable[[Minutes], Float64s]]:
    """Return, by metric name, the functions that return a metric's count in each minute."""
    if not api.web_socket:
        return {"Count": api.requests, "4xx": api.errors}
    return {
        "MessageCount": api.requests,
        "ConnectCount": lambda minutes: CONNECTIONS_PER_MESSAGE * api.requests(minutes),
        "ClientError": api.errors,
    }


def metrics(region: DemoRegion) -> Iterator[DemoMetric]:
    """Yield the metrics of all HTTP and WebSocket APIs."""
    for api in region.resources_of(DemoHttpApi):
        api_dimensions = {"ApiId": region.ids[api.name]}
        for dimensions in (api_dimensions, api_dimensions | {"Stage": api.stage}):
            for name, value_at in counts_by_metric(api).items():
                yield DemoMetric("AWS/ApiGateway", name, dimensions, EVENTS, value_at)


def seed(region: DemoRegion, client: Any) -> None:
    """Create the APIs, their routes and stages in moto."""
    for api in region.resources_of(DemoHttpApi):
        protocol = (
            {"ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}
            if api.web_socket
            else {"ProtocolType": "HTTP"}
        )
        region.ids[api.name] = api_id = client.create_api(Name=api.name, **protocol)["ApiId"]
        for route in api.routes:
            client.create_route(ApiId=api_id, RouteKey=route)
        client.create_stage(ApiId=api_id, StageName=api.stage, **stage_settings(api))


def stage_settings(api: DemoHttpApi) -> dict[str, Any]:
    """Return the throttles of a stage and of its routes."""
    default = {"DefaultRouteSettings": throttle_settings(api.per_second)} if api.has_throttle else {}
    routes = {key: throttle_settings(limit) for key, limit in api.routes.items() if limit}
    return default | ({"RouteSettings": routes} if routes else {})


def throttle_settings(per_second: float) -> dict[str, float]:
    """Return the settings of a throttle at `per_second` requests."""
    return {"ThrottlingRateLimit": per_second, "ThrottlingBurstLimit": int(2 * per_second)}


SERVICE = DemoService(name="apigatewayv2", metrics=metrics, seed=seed)
