"""An AWS that answers from a table, checked against botocore's own service models.

It stands in for aiobotocore's session, so that what is tested is the real cell, paging and error handling.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import botocore.session
from aiobotocore.session import AioSession
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

from collectors.base import Collector, Observed, Part
from monitor.aws import Cell, Look
from monitor.telemetry import Telemetry

MODELS = botocore.session.get_session()
ACCOUNT_ID = "123456789012"

# IAM names these actions otherwise than the operation that needs them (Service Authorization Reference).
IAM = {
    "apigateway:GetAccount": "apigateway:GET",
    "apigateway:GetRestApis": "apigateway:GET",
    "apigateway:GetStages": "apigateway:GET",
    "apigateway:GetUsage": "apigateway:GET",
    "apigateway:GetUsagePlans": "apigateway:GET",
    "apigatewayv2:GetApis": "apigateway:GET",
    "apigatewayv2:GetStages": "apigateway:GET",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListBucketMetricsConfigurations": "s3:GetMetricsConfiguration",
    "service-quotas:GetServiceQuota": "servicequotas:GetServiceQuota",
    "service-quotas:GetAWSDefaultServiceQuota": "servicequotas:GetAWSDefaultServiceQuota",
}


def denied(operation: str = "Operation", code: str = "AccessDeniedException") -> ClientError:
    """The error of a call that the caller may not make."""
    return ClientError(
        {"Error": {"Code": code, "Message": f"not authorized to perform {operation}"}}, operation
    )


class FakePaginator:
    def __init__(self, client: "FakeClient", method: str) -> None:
        self.client, self.method = client, method

    async def paginate(self, **params: Any) -> AsyncIterator[Any]:
        answer = self.client.answers.get(self.method)
        pages = answer if isinstance(answer, list) else [answer]
        for page in pages:
            yield await self.client.answered(self.method, page, params)


class FakeClient:
    """Answers a method with a dict, a list of pages, a callable of the parameters, or an error to raise."""

    def __init__(self, service: str, aws: "FakeAws") -> None:
        self.service, self.answers, self.aws = service, aws.answers, aws
        model = MODELS.get_service_model(service)
        self.operations = {xform_name(name): model.operation_model(name) for name in model.operation_names}
        self.pagination: Any = MODELS.get_paginator_model(service)

    def can_paginate(self, method: str) -> bool:
        try:
            return bool(self.pagination.get_paginator(self.operations[method].name))
        except ValueError:
            return False

    def get_paginator(self, method: str) -> FakePaginator:
        return FakePaginator(self, method)

    def __getattr__(self, method: str) -> Any:
        async def call(**params: Any) -> Any:
            return await self.answered(method, self.answers.get(method), params)

        return call

    async def answered(self, method: str, answer: Any, params: Mapping[str, Any]) -> Any:
        operation: Any = self.operations[method]
        self.aws.calls.append(f"{self.service}:{operation.name}")
        if operation.input_shape:  # an operation may take no parameters
            validate_parameters(params, operation.input_shape)
        answer = answer(**params) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise denied(operation.name)
        validate_parameters(answer, operation.output_shape)
        return answer


class FakeSession:
    def __init__(self, aws: "FakeAws") -> None:
        self.aws = aws

    @asynccontextmanager
    async def create_client(self, service: str, **_: Any) -> AsyncIterator[FakeClient]:
        yield FakeClient(service, self.aws)


class FakeAws:
    """A cell over a table of answers by method name; a method without an answer is denied."""

    def __init__(self, *, region: str = "eu-west-1", **answers: Any) -> None:
        self.answers = answers
        self.calls: list[str] = []
        self.telemetry = Telemetry()
        rates = {"kinesis:DescribeLimits": 1000.0} | dict.fromkeys(MODELS.get_available_services(), 1000.0)
        self.cell = Cell(cast(AioSession, FakeSession(self)), ACCOUNT_ID, region, self.telemetry, rates)
        self.look = Look(self.cell)

    @property
    def actions(self) -> set[str]:
        """The IAM actions that the calls so far need."""
        return {IAM.get(call, call) for call in self.calls}

    async def seen(self, part: Part) -> dict[tuple[str, str], Observed]:
        """What a part of a collector yields, by (signal, resource)."""
        return {(one.signal, one.resource): one async for one in part(self.look)}

    async def all_seen(self, collector: Collector) -> dict[tuple[str, str], Observed]:
        """What all parts of a collector yield."""
        found: dict[tuple[str, str], Observed] = {}
        for part in collector.parts:
            found |= await self.seen(part)
        return found
