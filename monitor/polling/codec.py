"""A fast codec for GetMetricData: JSON without botocore's recursive serializer and parser.

The codec hooks into two public botocore events of one operation; signing, endpoints and errors stay
botocore's. The hooks work with the `json` protocol only; clients of other protocols get no hooks.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from monitor.aws.clock import date_header
from monitor.fleet.metric_query import without_abbreviations

OPERATION = "cloudwatch.GetMetricData"  # as botocore's events name it
MIN_ERROR_STATUS = 300  # successful responses have a lower HTTP status

NonFinite = Literal["NaN", "Infinity", "-Infinity"]
Accounts = Mapping[int, str]  # account ids, by the number of the metric in the call
NO_ACCOUNTS: Accounts = {}

_body: ContextVar[bytes] = ContextVar("GetMetricData's request body")


class MetricResult(msgspec.Struct, rename="pascal"):
    """The points of one metric in a response: `timestamps` in epoch seconds, and `values` in the same order.

    A value that is not a JSON number, such as NaN, is a string.
    """

    id: str
    timestamps: list[float] = []
    values: list[float | NonFinite] = []
    status_code: str = "Complete"


class MetricPage(msgspec.Struct, rename="pascal"):
    """One page of GetMetricData results; `date` is the `Date` header of the response."""

    metric_data_results: list[MetricResult] = []
    next_token: str | None = None
    date: str | None = None


_decoder = msgspec.json.Decoder(MetricPage)


def install(client: Any) -> bool:
    """Install the hooks on a CloudWatch client, at most once; return False if its protocol is not `json`."""
    if client.meta.service_model.resolved_protocol != "json":
        return False
    client.meta.events.register(f"before-call.{OPERATION}", _replace_body, unique_id="headroom-body")
    client.meta.events.register(f"before-parse.{OPERATION}", _parse_page, unique_id="headroom-parse")
    return True


def _replace_body(params: dict[str, Any], **_: Any) -> None:
    params["body"] = _body.get()


def _parse_page(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] < MIN_ERROR_STATUS:
        customized_response_dict["page"] = _decoder.decode(response_dict["body"])
        response_dict["body"] = b"{}"  # botocore's parser has nothing left to do


def query_id(n: int) -> str:
    """Return the id of the n-th query of a call; GetMetricData requires a lower-case letter first."""
    return f"m{n}"


def request_body(
    metrics: Mapping[int, bytes], minutes: range, token: str | None, accounts: Accounts = NO_ACCOUNTS
) -> bytes:
    """Return the JSON body of a request for metrics over a range of minutes since the epoch.

    metrics: queries, by the number of the metric in the call. token: the `next_token` of the page before, or
    None. accounts: account ids, by the same numbers; a metric without an account id belongs to the calling
    account.
    """
    account_members = {
        account: b'"AccountId":%s,' % msgspec.json.encode(account) for account in {*accounts.values()}
    }
    if accounts:
        account_queries = (
            b'{"Id":"m%d",%b"MetricStat":%b}' % (n, account_members.get(accounts.get(n, ""), b""), metric)
            for n, metric in metrics.items()
        )
        queries = b",".join(account_queries)
    else:
        queries = b",".join(map(b'{"Id":"m%d","MetricStat":%b}'.__mod__, metrics.items()))
    paging = b',"NextToken":%s' % msgspec.json.encode(token) if token else b""
    start, end = minutes.start * 60, minutes.stop * 60
    body = b'{"MetricDataQueries":[%s],"StartTime":%d,"EndTime":%d%s}' % (queries, start, end, paging)
    return without_abbreviations(body)


async def get_metric_data(
    client: Any,
    metrics: Mapping[int, bytes],
    minutes: range,
    token: str | None,
    accounts: Accounts = NO_ACCOUNTS,
) -> MetricPage:
    """Request one page of metrics over a range of minutes, through the hooks; see `request_body`."""
    _body.set(request_body(metrics, minutes, token, accounts))
    # The hooks replace the body that botocore makes of these parameters.
    response = await client.get_metric_data(MetricDataQueries=[], StartTime=0, EndTime=0)
    page: MetricPage = response["page"]
    page.date = date_header(response)
    return page


async def get_metric_data_by_botocore(
    client: Any,
    metrics: Mapping[int, bytes],
    minutes: range,
    token: str | None,
    accounts: Accounts = NO_ACCOUNTS,
) -> MetricPage:
    """Request the same page as `get_metric_data`, but through botocore's own serializer and parser."""
    queries = [
        {"Id": query_id(n), "MetricStat": msgspec.json.decode(without_abbreviations(metric))}
        | ({"AccountId": accounts[n]} if n in accounts else {})
        for n, metric in metrics.items()
    ]
    paging = {"NextToken": token} if token else {}
    start, end = (datetime.fromtimestamp(minute * 60, UTC) for minute in (minutes.start, minutes.stop))
    response = await client.get_metric_data(MetricDataQueries=queries, StartTime=start, EndTime=end, **paging)
    results = [_metric_result(result) for result in response.get("MetricDataResults", ())]
    return MetricPage(results, response.get("NextToken"), date_header(response))


def _metric_result(result: Mapping[str, Any]) -> MetricResult:
    timestamps = [time.timestamp() for time in result.get("Timestamps", ())]
    values: Sequence[float] = result.get("Values", ())
    return MetricResult(result["Id"], timestamps, list(values), result.get("StatusCode", "Complete"))
