"""Serves moto in a process of its own, with the answers of Service Quotas that moto lacks.

`python -m tests.acceptance.moto_server` prints one line `{"port": N}` when it is ready, and ends when its
standard input does. A call that moto does not support fails with UNKNOWN_OPERATION.
"""

import json
import socket
import sys
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import Any

from moto.core.request import Request
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.exceptions import NotFound
from werkzeug.serving import make_server
from werkzeug.wrappers import Request as WsgiRequest
from werkzeug.wrappers import Response

from collectors.service_quotas.count_file import read_counts
from monitor.demo.call import parse_call
from monitor.demo.region import AwsResponseError
from rules.signals import Quota
from tests.fake_aws import SERVICE_MODELS
from tests.registries import REGISTRY

HOST = "127.0.0.1"
LIMIT = 5000  # the value of each quota
UNKNOWN_OPERATION = "UnknownOperationException"
TARGET_PREFIX = "ServiceQuotasV20190624."


Answer = Callable[[Mapping[str, Any]], dict[str, Any]]  # takes the parameters, returns the response


def list_entry(quota: Quota) -> dict[str, Any]:
    """Return a quota as Service Quotas lists it."""
    return {
        "ServiceCode": quota.service,
        "QuotaCode": quota.code,
        "QuotaName": quota.code,
        "Value": LIMIT,
        "Adjustable": True,
        "GlobalQuota": False,
    }


def clients_by_signing_name() -> dict[str, list[str]]:
    """Return botocore's clients by the name with which they sign. A client that has this name is first."""
    clients: dict[str, list[str]] = defaultdict(list)
    for name in SERVICE_MODELS.get_available_services():
        signing_name = SERVICE_MODELS.get_service_model(name).signing_name
        clients[signing_name].insert(0 if name == signing_name else len(clients[signing_name]), name)
    return clients


class MotoWithQuotas:
    """Responds for Service Quotas, with all counted and declared quotas, and passes other calls to moto."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.clients = clients_by_signing_name()
        self.all_quotas = {*read_counts(), *(signal.quota for signal in REGISTRY.signals if signal.quota)}
        self.answers: dict[str, Answer] = {
            "ListServiceQuotas": self.quotas,
            "ListAWSDefaultServiceQuotas": self.quotas,
            "GetServiceQuota": self.quota,
            "GetAWSDefaultServiceQuota": self.quota,
            "ListRequestedServiceQuotaChangeHistory": lambda params: {"RequestedQuotas": []},
        }

    def quotas(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the quotas of a service; no quota is applied at the level of a resource."""
        is_account_level = params.get("QuotaAppliedAtLevel") != "RESOURCE"
        listed = (
            quota for quota in self.all_quotas if quota.service == params["ServiceCode"] and is_account_level
        )
        return {"Quotas": [*map(list_entry, listed)]}

    def quota(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return one quota."""
        return {"Quota": list_entry(Quota(service=params["ServiceCode"], code=params["QuotaCode"]))}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        target = environ.get("HTTP_X_AMZ_TARGET", "").removeprefix(TARGET_PREFIX)
        if target in self.answers:
            text = json.dumps(self.answers[target](json.loads(body)))
            response = Response(text, content_type="application/x-amz-json-1.1")
        else:
            response = self.response_of_moto({**environ, "wsgi.input": BytesIO(body)}, body)
        sent: Iterable[bytes] = response(environ, start_response)
        return sent

    def response_of_moto(self, environ: dict[str, Any], body: bytes) -> Response:
        """Return the response of moto; an UNKNOWN_OPERATION error if moto lacks the operation or fails."""
        host = self.moto.infer_service_region_host(environ, environ["PATH_INFO"])
        try:
            has_service = self.moto.get_backend_for_host(host) is not None
            response = Response.from_app(self.moto if has_service else NotFound(), environ, buffered=True)
        except Exception as error:  # moto failed, and would return a page about the error
            response = Response.from_app(NotFound(str(error)), environ)
        call = parse_call(request_of(environ, body), self.clients)
        if response.status_code != HTTPStatus.NOT_FOUND or response.mimetype != "text/html" or call is None:
            return response
        error_response = call.respond(AwsResponseError(UNKNOWN_OPERATION, "moto has no such operation"))
        return Response(bytes(error_response.body), HTTPStatus.BAD_REQUEST, dict(error_response.headers))


def request_of(environ: dict[str, Any], body: bytes) -> Request:
    """Return a request in the form that moto's parsers need."""
    plain = WsgiRequest(environ)
    return Request.from_primitives(plain.method, plain.url, dict(plain.headers), body)


class QuietHandler(MotoRequestHandler):
    """Logs no requests."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Do nothing."""


def main() -> None:
    """Serve until standard input ends."""
    warnings.simplefilter("ignore")
    with socket.create_server((HOST, 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        make = partial(make_server, HOST, port, threaded=True, request_handler=QuietHandler)
        server = make(MotoWithQuotas(), fd=listener.fileno())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({"port": port}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
