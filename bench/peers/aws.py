"""The fake AWS that monitors read: the operations that they call, in the protocols that they use."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from bench.peers import cbor
from bench.peers.streams import METRICS, SHARDS, Streams
from tests.http_endpoint import serve_http
from tests.kinesis_answers import stream_summary

Json = dict[str, Any]
ACCOUNT, REGION, NAMESPACE = "123456789012", "eu-west-1", "AWS/Kinesis"
CBOR_HEADERS = {"smithy-protocol": "rpc-v2-cbor"}
STREAM_ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/"
CREATED = 1.7e9  # epoch seconds
METRICS_PER_PAGE, RESOURCES_PER_PAGE = 500, 100  # of ListMetrics, of GetResources; as in AWS
XML = {
    "GetCallerIdentity": '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    f"<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/bench</Arn><UserId>bench</UserId>"
    f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
    "ListAccountAliases": '<ListAccountAliasesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
    "<ListAccountAliasesResult><IsTruncated>false</IsTruncated><AccountAliases><member>bench</member>"
    "</AccountAliases></ListAccountAliasesResult></ListAccountAliasesResponse>",
}


@dataclass
class FakeAws:
    """The fake AWS of one monitor.

    calls: the number of calls, by operation. metrics_requested: the number of metrics requested with
    GetMetricData.
    """

    streams: Streams
    calls: Counter[str] = field(default_factory=Counter)
    metrics_requested: int = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on loopback; yield the URL."""
        async with serve_http(self.respond) as port:
            yield f"http://127.0.0.1:{port}"

    async def respond(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("smithy-protocol") == CBOR_HEADERS["smithy-protocol"]:
            operation = request.path.rpartition("/")[2]
            answer = self._answer(operation, cbor.decode(body), _datetime)
            return web.Response(
                body=cbor.encode(answer), content_type="application/cbor", headers=CBOR_HEADERS
            )
        if target := request.headers.get("X-Amz-Target"):
            answer = self._answer(target.rpartition(".")[2], json.loads(body or b"{}"), float)
            status = 400 if "__type" in answer else 200
            return web.json_response(answer, status=status, content_type="application/x-amz-json-1.1")
        action = parse_qs(body.decode()).get("Action", [""])[0]
        self.calls[action] += 1
        return web.Response(
            text=XML.get(action, ""), status=200 if action in XML else 403, content_type="text/xml"
        )

    def _answer(self, operation: str, params: Json, timestamp_of: Callable[[float], Any]) -> Json:
        """Return the response to a call. timestamp_of: returns epoch seconds as the protocol has them."""
        self.calls[operation] += 1
        if operation == "GetMetricData":
            return self._metric_data(params, timestamp_of)
        answer: Callable[[Json], Json] = getattr(self, f"_{operation}", self._denied)
        return answer(params)

    def _denied(self, _: Json) -> Json:
        return {"__type": "AccessDeniedException", "message": "not part of the measurement"}

    def _metric_data(self, params: Json, timestamp_of: Callable[[float], Any]) -> Json:
        self.metrics_requested += len(params["MetricDataQueries"])
        now = time.time()
        results = []
        for query in params["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
            stream = dimensions.get("StreamName", "")
            minutes, values = self.streams.points(
                metric["MetricName"], stream, params["StartTime"], params["EndTime"], now
            )
            result = {
                "Id": query["Id"],
                "Label": metric["MetricName"],
                "Timestamps": [timestamp_of(minute * 60) for minute in minutes],
                "Values": values,
                "StatusCode": "Complete",
            }
            results.append(result)
        return {"MetricDataResults": results, "Messages": []}

    def _ListMetrics(self, params: Json) -> Json:
        page, token = _page(self.streams.names, params.get("NextToken"), METRICS_PER_PAGE)
        name = params["MetricName"]
        dimensions = ([{"Name": "StreamName", "Value": stream}] for stream in page)
        metrics = [
            {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimension_list}
            for dimension_list in dimensions
        ]
        return {"Metrics": metrics if name in METRICS else []} | ({"NextToken": token} if token else {})

    def _GetResources(self, params: Json) -> Json:
        page, token = _page(self.streams.names, params.get("PaginationToken"), RESOURCES_PER_PAGE)
        tags = [{"Key": "team", "Value": "bench"}]
        listed = [{"ResourceARN": STREAM_ARN + name, "Tags": tags} for name in page]
        return {"ResourceTagMappingList": listed, "PaginationToken": token}

    def _ListStreams(self, _: Json) -> Json:
        return {"StreamNames": self.streams.names, "HasMoreStreams": False}

    def _DescribeLimits(self, _: Json) -> Json:
        shards = SHARDS * len(self.streams.names)
        return {"ShardLimit": 2 * shards, "OpenShardCount": shards, "OnDemandStreamCountLimit": 50}

    def _DescribeStreamSummary(self, params: Json) -> Json:
        return stream_summary(params["StreamName"], SHARDS, StreamCreationTimestamp=CREATED)

    def _ListServiceQuotas(self, _: Json) -> Json:
        return {"Quotas": []}


def _datetime(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _page(names: list[str], token: str | None, size: int) -> tuple[list[str], str]:
    """Return the names of a page, and the token of the next one, which is empty after the last one."""
    start = int(token or 0)
    return names[start : start + size], str(start + size) if start + size < len(names) else ""
