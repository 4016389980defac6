"""An AWS that responds from a table, checked against botocore's service models.

It replaces botocore's clients, so that tests run the real cell, pagination and error handling.
"""

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import get_session
from botocore.validate import validate_parameters
from prometheus_client import CollectorRegistry

from collectors.base import Collector, Observed, ScanFunction
from collectors.iam_actions import iam_action
from monitor.aws.cell import Cell
from monitor.aws.clients import EXTRA_PAGINATIONS, ClientCache
from monitor.aws.clock import AwsClock
from monitor.aws.pagination import Pagination, pagination_from_model
from monitor.aws.scan import Scan
from monitor.aws.telemetry import AwsTelemetry
from monitor.lib.botocore_models import model_loader, model_session
from tests.fake_cloudwatch import fake_credentials
from tests.metric_units import unit_conflicts
from tests.published_metrics import unpublished_metrics
from tests.registries import REGISTRY

# With these words, AWS documents that a parameter must not be sent beside a page's token.
REJECTED_BESIDE_TOKEN = re.compile(
    r"(can't|cannot) specify this parameter if you specify (?:the )?(?:<code>)?NextToken", re.I
)

SERVICE_MODELS = model_session()
DOCUMENTED_MODELS = get_session()  # the product's models have no documentation
ACCOUNT_ID = "123456789012"


def denied(operation: str = "Operation", code: str = "AccessDeniedException") -> ClientError:
    """Return the error of a denied call."""
    return ClientError(
        {"Error": {"Code": code, "Message": f"not authorized to perform {operation}"}}, operation
    )


def pagination_of(service: str, operation: str) -> Pagination | None:
    """Return how the pages of an operation are requested."""
    found = EXTRA_PAGINATIONS.get((service, operation))
    return found or pagination_from_model(model_loader(), service, operation)


def is_member(path: str) -> bool:
    """Return whether a path names a member; `Names[-1]` is an item instead."""
    return all(part.isidentifier() for part in path.split("."))


def page_number(token: str | None, pages: Sequence[Any], pagination: Pagination) -> int:
    """Return the number of the page that a token requests.

    The token is that number, or the last item of the page before.
    """
    if token is None or is_member(pagination.output_token):
        return int(token or "0")
    return 1 + [jmespath.search(pagination.output_token, page) for page in pages].index(token)


def with_member(page: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return a page with this value at a path of members."""
    first, *rest = path
    return {**page, first: with_member(page.get(first) or {}, rest, value) if rest else value}


class FakeClient:
    """Responds to a method with a dict, a list of pages, an error, or a function of the parameters."""

    def __init__(self, service: str, aws: "FakeAws") -> None:
        self.service, self.answers, self.aws = service, aws.answers, aws
        model = SERVICE_MODELS.get_service_model(service)
        self.operations = {xform_name(name): model.operation_model(name) for name in model.operation_names}

    def __getattr__(self, method: str) -> Any:
        async def call(**params: Any) -> Any:
            answer = self.answers.get(method)
            if isinstance(answer, list):
                answer = self.page(self.operations[method].name, answer, params)
            return await self.respond(method, answer, params)

        return call

    def page(self, operation: str, pages: Sequence[Any], params: Mapping[str, Any]) -> Any:
        """Return the page that the token in the parameters requests, with the token of the next page."""
        pagination = pagination_of(self.service, operation)
        assert pagination
        number = page_number(params.get(pagination.input_token), pages, pagination)
        page = pages[number]
        page_params = {pagination.input_token, *(name for name, _ in pagination.further_tokens)}
        other_params = {name: value for name, value in params.items() if name not in page_params}
        page = page(**other_params) if callable(page) else page
        if number + 1 == len(pages) or isinstance(page, Exception):
            return page
        more = {pagination.more_results: True} if pagination.more_results else {}
        token = {pagination.output_token: f"{number + 1:04}"} if is_member(pagination.output_token) else {}
        for path, value in (token | more).items():
            page = with_member(page, path.split("."), value)
        return page

    def check_beside_token(self, method: str, params: Mapping[str, Any]) -> None:
        """Raise for parameters that AWS documents as rejected beside `NextToken`."""
        documented: Any = DOCUMENTED_MODELS.get_service_model(self.service)
        members = documented.operation_model(self.operations[method].name).input_shape.members
        rejected = [name for name in params if REJECTED_BESIDE_TOKEN.search(members[name].documentation)]
        if rejected:
            names = ", ".join(rejected)
            raise AssertionError(f"{method}: AWS rejects {names} beside NextToken; use `first`")

    async def respond(self, method: str, answer: Any, params: Mapping[str, Any]) -> Any:
        """Return or raise an answer, after checking it and the parameters against the service's model."""
        operation: Any = self.operations[method]
        if "NextToken" in params:
            self.check_beside_token(method, params)
        self.aws.calls.append(f"{self.service}:{operation.name}")
        if operation.input_shape:  # an operation may take no parameters
            validate_parameters(params, operation.input_shape)
        answer = answer(**params) if callable(answer) else answer
        if isinstance(answer, list):  # pages for these parameters
            answer = self.page(operation.name, answer, params)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise denied(operation.name)
        if not self.aws.malformed:
            validate_parameters(answer, operation.output_shape)
        return answer


class FakeClientCache(ClientCache):
    """Clients that respond from a table."""

    client_type: type[FakeClient] = FakeClient

    def __init__(self, aws: "FakeAws") -> None:
        super().__init__()
        self.aws = aws
        self._fakes: dict[str, FakeClient] = {}

    async def get(self, service: str, region: str, *_: Any) -> FakeClient:
        self.aws.regions.add((service, region))
        if service not in self._fakes:
            self._fakes[service] = self.client_type(service, self.aws)
        return self._fakes[service]

    async def pagination(self, service: str, operation: str) -> Pagination | None:
        return pagination_of(service, operation)

    async def error_codes(self, service: str, operation: str) -> frozenset[str]:
        model: Any = SERVICE_MODELS.get_service_model(service)
        return frozenset(shape.error_code for shape in model.operation_model(operation).error_shapes)


class FakeCell(Cell):
    """A cell that checks for parameters that AWS rejects beside a token, even when a test has one page."""

    async def paginate(
        self,
        service: str,
        operation: str,
        first: Mapping[str, Any] | None = None,
        *,
        charged_to: str | None = None,
        **params: Any,
    ) -> AsyncIterator[dict[str, Any]]:
        client: FakeClient = await self.client(service)
        if pagination_of(service, operation):
            client.check_beside_token(xform_name(operation), params)
        async for answer in super().paginate(service, operation, first, charged_to=charged_to, **params):
            yield answer


class FakeAws:
    """A cell over a table of answers by method name; a method without an answer is denied.

    now: epoch seconds; None: the real time. malformed: answers may differ from the service's model.
    """

    def __init__(
        self,
        *,
        region: str = "eu-west-1",
        now: float | None = None,
        malformed: bool = False,
        **answers: Any,
    ) -> None:
        self.answers, self.malformed = answers, malformed
        self.now = now
        self.calls: list[str] = []
        self.regions: set[tuple[str, str]] = set()  # service and region of each client
        self.registry = CollectorRegistry()
        services = SERVICE_MODELS.get_available_services()
        # These rates are so high that no call waits.
        rates = {"kinesis:DescribeLimits": 1000.0} | dict.fromkeys(services, 1000.0)
        clients = FakeClientCache(self)
        self.cell = FakeCell(
            fake_credentials(), ACCOUNT_ID, region, AwsTelemetry(self.registry), rates, clients=clients
        )
        self.cell.max_attempts = 1
        self.cell.clock = AwsClock(lambda: time.time() if self.now is None else self.now)
        self.scan = Scan(self.cell)

    @property
    def iam_actions(self) -> set[str]:
        """The IAM actions that the calls so far need."""
        return {iam_action(*call.split(":")) for call in self.calls}

    async def run_scan(self, function: ScanFunction) -> dict[tuple[str, str], Observed]:
        """Return the series that a scan function yields, by signal and resource, and check their metrics."""
        series = {
            (observed.signal, observed.resource.display_name): observed
            async for observed in function(self.scan)
        }
        services = [collector.service for collector in REGISTRY.collectors if function in collector.scans]
        for service in services:
            signals = REGISTRY.services[service].signals
            problems = [
                text
                for observed in series.values()
                for text in (
                    *unit_conflicts(observed, signals[observed.signal]),
                    *unpublished_metrics(observed),
                )
            ]
            assert problems == []
        return series

    async def run_all_scans(self, collector: Collector) -> dict[tuple[str, str], Observed]:
        """Return the series that all scan functions of a collector yield."""
        series: dict[tuple[str, str], Observed] = {}
        for function in collector.scans:
            series |= await self.run_scan(function)
        return series
