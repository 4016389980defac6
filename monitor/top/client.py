"""A client for the API of a running Headroom, which returns the API's own models."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from monitor.alerting.matchers import Matcher
from monitor.api import client as api
from monitor.api.alert_models import AlertList, AlertModel, NoticeList, NoticeModel, SilenceModel
from monitor.api.answer import missing_field_message
from monitor.api.client import ApiStatusError, ApiTransportError, quote_segment
from monitor.api.models import ReadyModel, SeriesDetailModel, SeriesPageModel
from monitor.api.server_address import TOKEN_VARIABLE
from monitor.fleet.key import ALL_LABELS
from monitor.fleet.query import Query
from monitor.lib.errors import HeadroomError
from monitor.top.thread_pool import DaemonThreadPool

REQUEST_TIMEOUT = 20.0  # seconds
UNAUTHORIZED = 401
MAX_NOTICES = 10  # notices of an alert that are fetched and shown

ResponseModel = TypeVar("ResponseModel", bound=BaseModel)
JsonBody = Mapping[str, Any]


class RequestError(HeadroomError):
    """A request failed; the text is a sentence for the user.

    status: the HTTP status of the response; None when there was no response.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class HeadroomClient:
    """A client of a running Headroom. All methods but `close` raise RequestError.

    timeout: seconds for a request, including the wait for a free thread.
    """

    def __init__(self, address: str, timeout: float = REQUEST_TIMEOUT) -> None:
        self.address, self._timeout = address, timeout
        self._threads = DaemonThreadPool()

    def close(self) -> None:
        """Let each thread stop when its request ends; do not wait for the threads."""
        self._threads.close()

    async def list_series(self, query: Query) -> SeriesPageModel:
        """Return the first page of the series that match a query."""
        params = query.model_dump(exclude_defaults=True)
        return await self._request(
            SeriesPageModel, "GET", f"/api/v1/series?{urlencode(params, doseq=True, errors='replace')}"
        )

    async def get_series(self, identity: str) -> SeriesDetailModel:
        """Return one series with its last three hours."""
        return await self._request(SeriesDetailModel, "GET", f"/api/v1/series/{quote_segment(identity)}")

    async def list_alerts(self) -> AlertList:
        """Return the firing and pending alerts, the most urgent first."""
        return await self._request(AlertList, "GET", "/api/v1/alerts")

    async def list_notices(self, alert_id: str) -> Sequence[NoticeModel]:
        """Return the notices of an alert, the newest first."""
        path = f"/api/v1/alerts/history?alert={quote_segment(alert_id)}&limit={MAX_NOTICES}"
        return (await self._request(NoticeList, "GET", path)).items

    async def get_readiness(self) -> ReadyModel:
        """Return which data has not been read yet."""
        return await self._request(ReadyModel, "GET", "/-/ready")

    async def acknowledge(self, alert_id: str, author: str, comment: str) -> AlertModel:
        """Acknowledge an alert, and return it."""
        return await self._request(
            AlertModel,
            "POST",
            f"/api/v1/alerts/{quote_segment(alert_id)}/ack",
            {"author": author, "comment": comment},
        )

    async def silence(
        self, labels: Mapping[str, str], duration: str, author: str, comment: str
    ) -> SilenceModel:
        """Silence the alerts that have these labels: the alert of one series, or alerts of blind spots."""
        matchers = [str(Matcher(name, "=", labels[name])) for name in ALL_LABELS if name in labels]
        body = {"matchers": matchers, "duration": duration, "author": author, "comment": comment}
        return await self._request(SilenceModel, "POST", "/api/v1/silences", body)

    async def _request(
        self, model: type[ResponseModel], method: str, path: str, body: JsonBody | None = None
    ) -> ResponseModel:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._threads.run(partial(request, self.address, model, method, path, body))
        except TimeoutError:
            raise RequestError(f"{self.address}: no response within {self._timeout:g} s") from None


def request(
    address: str, model: type[ResponseModel], method: str, path: str, body: JsonBody | None = None
) -> ResponseModel:
    """Send a request and return the response as a model. The call blocks. Raises RequestError."""
    try:
        return model.model_validate(api.request(address, method, path, body))
    except ApiStatusError as error:
        raise RequestError(status_message(error), error.status) from None
    except ApiTransportError as error:
        raise RequestError(str(error)) from None
    except ValidationError as error:
        raise RequestError(unexpected_response_message(address, error)) from None


def status_message(error: ApiStatusError) -> str:
    """Return Headroom's message, with a hint if a token is missing or invalid."""
    hint = f"; set ${TOKEN_VARIABLE} to a valid token" if error.status == UNAUTHORIZED else ""
    return f"{error}{hint}"


def unexpected_response_message(address: str, error: ValidationError) -> str:
    """Return the message for a response that does not match the models of this version."""
    for problem in error.errors():
        if problem["type"] == "missing":
            return missing_field_message(address, str(problem["loc"][-1]))
    return f"{address}: unexpected response; it may run another version of Headroom"
