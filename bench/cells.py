"""The cost of starting with many empty accounts: memory, CPU time, and how long the event loop is blocked.

`python bench/cells.py [accounts] [regions]`: each account is accessed through a role, and all services are
read in each region, from an empty AWS on loopback in another process.
Target for 30 accounts in 17 regions: at most 1.2 GiB, at most 90 s of CPU time until everything was read
once, and the event loop never blocked for more than 50 ms.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

from aiohttp import web

import monitor.cli  # noqa: F401  to load what a real process loads
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.lib.garbage import start_collecting
from monitor.polling.watcher import Watcher
from tests.http_endpoint import serve_http
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-north-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
)
LAG_INTERVAL = 0.005  # seconds between two measurements of how long the event loop is blocked

XML_BY_ACTION = {  # under "": the response of the REST_XML services
    "AssumeRole": "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>"
    "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
    "DescribeAccountLimits": "<DescribeAccountLimitsResponse><DescribeAccountLimitsResult>"
    "<MaxNumberOfAutoScalingGroups>500</MaxNumberOfAutoScalingGroups></DescribeAccountLimitsResult>"
    "</DescribeAccountLimitsResponse>",
    "DescribeAutoScalingGroups": "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult>"
    "<AutoScalingGroups/></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>",
    "": "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>",
}
EMPTY_CBOR_MAP = b"\xa0"
CBOR_HEADERS = {"smithy-protocol": "rpc-v2-cbor"}
REST_XML = ("s3", "route53", "cloudfront")
NO_POINTS = {"Timestamps": [], "Values": [], "StatusCode": "Complete"}
JSON_BY_OPERATION = {  # of REST services: by the last part of the path
    "DescribeLimits": {
        "OpenShardCount": 0,
        "ShardLimit": 500,
        "OnDemandStreamCount": 0,
        "OnDemandStreamCountLimit": 50,
    },
    "ListStreams": {"StreamNames": [], "HasMoreStreams": False},
    "account": {"throttleSettings": {"rateLimit": 10000.0, "burstLimit": 5000}},
    "account-settings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
}
# pairs of service code and quota code
QUOTA_CODES = sorted((quota.service, quota.code) for quota in REGISTRY.quotas(REGISTRY.services))


async def respond(request: web.Request) -> web.Response:
    """Respond to a call of any service as AWS does for an empty account."""
    if "smithy-protocol" in request.headers:
        return web.Response(body=EMPTY_CBOR_MAP, content_type="application/cbor", headers=CBOR_HEADERS)
    text = await request.text()
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    authorization = request.headers.get("Authorization", "")
    if text.startswith("Action="):
        (action,) = parse_qs(text)["Action"]
        empty = f"<{action}Response><{action}Result/></{action}Response>"
        return web.Response(text=XML_BY_ACTION.get(action, empty), content_type="text/xml")
    if any(f"/{service}/" in authorization for service in REST_XML):
        return web.Response(text=XML_BY_ACTION[""], content_type="text/xml")
    if target == "GetMetricData":
        ids = [query["Id"] for query in json.loads(text)["MetricDataQueries"]]
        return web.json_response({"MetricDataResults": [NO_POINTS | {"Id": id_} for id_ in ids]})
    if target == "ListServiceQuotas":
        requested = json.loads(text)["ServiceCode"]
        quotas = [
            {"QuotaCode": code, "Value": 500.0} for service, code in QUOTA_CODES if service == requested
        ]
        return web.json_response({"Quotas": quotas})
    return web.json_response(JSON_BY_OPERATION.get(target or request.path.rstrip("/").rpartition("/")[2], {}))


async def serve() -> None:
    """Serve the empty AWS until killed; the first line of output is the port."""
    async with serve_http(respond) as port:
        print(port, flush=True)
        await asyncio.Event().wait()


@asynccontextmanager
async def empty_aws() -> AsyncIterator[str]:
    """Start an empty AWS in another process; yield its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "serve", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.kill()
        await process.wait()


class Lag:
    """Measures the longest time that the event loop was blocked, in seconds.

    elapsed: by the clock, and so longer if other processes use the CPU. cpu: in CPU time of the loop's
    thread.
    """

    def __init__(self) -> None:
        self.elapsed = self.cpu = 0.0

    async def watch(self) -> None:
        """Measure until cancelled."""
        while True:
            start, start_cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(LAG_INTERVAL)
            self.elapsed = max(self.elapsed, time.perf_counter() - start - LAG_INTERVAL)
            self.cpu = max(self.cpu, time.thread_time() - start_cpu)


def resident_mebibytes() -> float:
    """Return the resident memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def config(account_count: int, region_count: int, url: str) -> Config:
    """Return a configuration of some accounts, each with a role, in the first of REGIONS."""
    ids = [f"{n:012d}" for n in range(1, account_count + 1)]
    roles = [{"name": f"a{id_}", "role_arn": f"arn:aws:iam::{id_}:role/headroom"} for id_ in ids]
    settings = {"accounts": roles, "regions": REGIONS[:region_count], "endpoint_url": url}
    return Config.model_validate(settings)


async def main(account_count: int, region_count: int) -> None:
    """Start a watcher, and print its cost until everything was read once."""
    start_collecting()  # as `headroom serve` does
    credentials = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    os.environ |= credentials | {"AWS_EC2_METADATA_DISABLED": "true"}
    lag = Lag()
    async with empty_aws() as url:
        telemetry = Telemetries()
        watcher = Watcher(
            config(account_count, region_count, url), REGISTRY, Fleet(), telemetry.process, telemetry.aws
        )
        mebibytes_before, start, start_cpu = resident_mebibytes(), time.perf_counter(), time.process_time()
        tasks = [asyncio.create_task(work) for work in (lag.watch(), watcher.run())]
        await watcher.complete.wait()
        took, used_cpu = time.perf_counter() - start, time.process_time() - start_cpu
        cells, failures = len(watcher.cells), watcher.sentences()
        print(
            f"{cells} cells, all read after {took:.1f} s: "
            f"{used_cpu:.1f} s of CPU, {resident_mebibytes():.0f} MiB resident"
        )
        print(f"event loop blocked for at most {lag.elapsed * 1000:.0f} ms, CPU time {lag.cpu * 1000:.0f} ms")
        print(f"{mebibytes_before:.0f} MiB before; {len(failures)} failures", *failures[:5], sep="\n")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        numbers = [int(argument) for argument in sys.argv[1:]]
        asyncio.run(main(*numbers or (30, 17)))
