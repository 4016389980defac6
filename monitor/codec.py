"""The fast codec of GetMetricData: JSON without botocore's recursive serializer and parser.

Two hooks on the client of one operation, both public botocore events; signing, retries, endpoints and errors
stay botocore's. They fit the `json` protocol only: with another one they are left off, and the same results
come the long way.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

OPERATION = "cloudwatch.GetMetricData"
OK = 300  # HTTP statuses below carry an answer

NoNumber = Literal["NaN", "Infinity", "-Infinity"]

_body: ContextVar[bytes] = ContextVar("GetMetricData's request body")


class Result(msgspec.Struct, rename="pascal"):
    """One metric of an answer: `timestamps` in epoch seconds, `values` in the same order.

    What JSON has no number for comes as text.
    """

    id: str
    timestamps: list[float] = []
    values: list[float | NoNumber] = []
    status_code: str = "Complete"


class Page(msgspec.Struct, rename="pascal"):
    """One page of GetMetricData's answer."""

    metric_data_results: list[Result] = []
    next_token: str | None = None


_decoder = msgspec.json.Decoder(Page)


def install(client: Any) -> bool:
    """Put the hooks on a CloudWatch client; False, and nothing done, when it speaks another protocol."""
    if client.meta.service_model.resolved_protocol != "json":
        return False
    client.meta.events.register(f"before-call.{OPERATION}", _swap_body)
    client.meta.events.register(f"before-parse.{OPERATION}", _parse)
    return True


def _swap_body(params: dict[str, Any], **_: Any) -> None:
    params["body"] = _body.get()


def _parse(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] < OK:
        customized_response_dict["page"] = _decoder.decode(response_dict["body"])
        response_dict["body"] = b"{}"


def query_id(n: int) -> str:
    """The id of the n-th query of a call; GetMetricData wants it to begin with a lower-case letter."""
    return f"m{n}"


def body(metrics: Mapping[int, bytes], minutes: range, token: str | None) -> bytes:
    """The JSON body of a call for metrics, fragments by number, over a range of minutes."""
    queries = b",".join(b'{"Id":"%s","MetricStat":%s}' % (query_id(n).encode(), metrics[n]) for n in metrics)
    paging = b',"NextToken":%s' % msgspec.json.encode(token) if token else b""
    start, end = minutes.start * 60, minutes.stop * 60
    return b'{"MetricDataQueries":[%s],"StartTime":%d,"EndTime":%d%s}' % (queries, start, end, paging)


async def fast(client: Any, metrics: Mapping[int, bytes], minutes: range, token: str | None) -> Page:
    """One page of metrics by number over a range of minutes, through the hooks."""
    _body.set(body(metrics, minutes, token))
    answer = await client.get_metric_data(MetricDataQueries=[], StartTime=0, EndTime=0)
    page: Page = answer["page"]
    return page


async def plain(client: Any, metrics: Mapping[int, bytes], minutes: range, token: str | None) -> Page:
    """The same, through botocore's own serializer and parser."""
    queries = [
        {"Id": query_id(n), "MetricStat": msgspec.json.decode(metric)} for n, metric in metrics.items()
    ]
    paging = {"NextToken": token} if token else {}
    start, end = (datetime.fromtimestamp(minute * 60, UTC) for minute in (minutes.start, minutes.stop))
    answer = await client.get_metric_data(MetricDataQueries=queries, StartTime=start, EndTime=end, **paging)
    return Page([_result(one) for one in answer.get("MetricDataResults", ())], answer.get("NextToken"))


def _result(one: Mapping[str, Any]) -> Result:
    times = [moment.timestamp() for moment in one.get("Timestamps", ())]
    values: Sequence[float] = one.get("Values", ())
    return Result(one["Id"], times, list(values), one.get("StatusCode", "Complete"))
