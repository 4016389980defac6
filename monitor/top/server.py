"""The Headroom that is looked at: its API's answers as its own models."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from pydantic import BaseModel, ValidationError

from monitor.alerting.matchers import Matcher
from monitor.alerting.notice import Notice
from monitor.api_alert_models import AlertModel, Alerts, SilenceModel, Told
from monitor.api_models import Detail, Page, Ready
from monitor.client import TOKEN, Refused, Unanswered, ask, part
from monitor.fleet import Key
from monitor.query import Query
from monitor.top.apart import Apart

PATIENCE = 20.0  # seconds for an answer, its turn included
UNAUTHORIZED = 401
TOLD = 100  # notices of a series' alert

Answer = TypeVar("Answer", bound=BaseModel)
Body = Mapping[str, Any]


class NoAnswer(Exception):
    """Headroom did not give what was asked for; the text is the sentence that says why.

    status: that of an answer that was no; None when there was none.
    """

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class Server:
    """A running Headroom at an address. All methods but `close` raise NoAnswer."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._apart = Apart()

    def close(self) -> None:
        """Wait for nothing any more."""
        self._apart.close()

    async def page(self, query: Query) -> Page:
        """The first page of the series that a query finds."""
        told = query.model_dump(exclude_defaults=True)
        return await self._ask(Page, "GET", f"/api/v1/series?{urlencode(told, doseq=True, errors='replace')}")

    async def series(self, identity: str) -> Detail:
        """One series, with its last three hours."""
        return await self._ask(Detail, "GET", f"/api/v1/series/{part(identity)}")

    async def alerts(self) -> Alerts:
        """What fires and what is pending, the most urgent first."""
        return await self._ask(Alerts, "GET", "/api/v1/alerts")

    async def told(self, alert: str) -> Sequence[Notice]:
        """What was told of an alert, the newest first."""
        answer = await self._ask(Told, "GET", f"/api/v1/alerts/history?alert={part(alert)}&limit={TOLD}")
        try:
            return msgspec.convert(answer.items, list[Notice])
        except msgspec.ValidationError:
            raise NoAnswer(strange(self.address)) from None

    async def ready(self) -> None:
        """Whether everything was read once; NoAnswer says what was not."""
        await self._ask(Ready, "GET", "/-/ready")

    async def acknowledge(self, alert: str, who: str, why: str) -> AlertModel:
        """Say that somebody takes care of an alert."""
        return await self._ask(
            AlertModel, "POST", f"/api/v1/alerts/{part(alert)}/ack", {"who": who, "why": why}
        )

    async def mute(self, labels: Mapping[str, str], lasts: str, who: str, why: str) -> SilenceModel:
        """Mute the alerts of one series, or of all that is not seen where the labels say."""
        matchers = [str(Matcher(name, "=", labels[name])) for name in Key._fields if name in labels]
        body = {"matchers": matchers, "lasts": lasts, "who": who, "why": why}
        return await self._ask(SilenceModel, "POST", "/api/v1/silences", body)

    async def _ask(self, model: type[Answer], method: str, path: str, body: Body | None = None) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._apart.run(partial(answer, self.address, model, method, path, body))
        except TimeoutError:
            raise NoAnswer(f"{self.address}: no answer in {PATIENCE:g} s") from None


def answer(address: str, model: type[Answer], method: str, path: str, body: Body | None = None) -> Answer:
    """An answer as its model. Blocks. Raises NoAnswer."""
    try:
        return model.model_validate(ask(address, method, path, body))
    except Refused as refused:
        raise NoAnswer(sentence(refused), refused.status) from None
    except Unanswered as unanswered:
        raise NoAnswer(str(unanswered)) from None
    except ValidationError:
        raise NoAnswer(strange(address)) from None


def sentence(refused: Refused) -> str:
    """What Headroom said; and how to give a token, where one is missing or wrong."""
    hint = f"; give its token in ${TOKEN}" if refused.status == UNAUTHORIZED else ""
    return f"{refused}{hint}"


def strange(address: str) -> str:
    return f"{address}: it answers as another version of Headroom would"
