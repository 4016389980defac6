"""The accounts of the demo: their regions, and the resources in them with their traffic.

Traffic is a share of the limit of its resource; see `Traffic`.
"""

from dataclasses import dataclass, replace
from typing import Any

from monitor.demo.region import ACCOUNT, DemoRegion
from monitor.demo.scenes import BegunScenes
from monitor.demo.services.apigateway import DemoMethod, DemoRestApi, DemoStage, DemoUsagePlan
from monitor.demo.services.apigatewayv2 import DemoHttpApi
from monitor.demo.services.autoscaling import DemoGroup
from monitor.demo.services.kinesis import DemoStream
from monitor.demo.services.lambda_ import DemoFunction
from monitor.demo.services.s3 import DemoBucket, DemoBucketFilter
from monitor.demo.services.sqs import DemoQueue
from monitor.demo.story_stream import StoryStream
from monitor.demo.traffic import QUIET, Rush, Traffic

STORY_STREAM = "checkout-events"  # the stream that the scenes of the story change
STEADY = Traffic(mean=0.55, wave=0.04)

# Peaks before the start, for `headroom lookback`: a sale that grows on five evenings, and unexpected peaks.
SALE = tuple(
    Rush(hours_before=24 * days + 5.0, minutes=110, height=height)
    for days, height in ((8, 0.06), (7, 0.12), (6, 0.2), (5, 0.29), (4, 0.4))
)
RETRIES = (Rush(hours_before=75.4, minutes=26, height=1.25),)
LOAD_TEST = (Rush(hours_before=52.2, minutes=44, height=1.3), Rush(hours_before=51.0, minutes=30, height=1.0))
BACKLOG = (Rush(hours_before=150.0, minutes=260, height=0.42),)

# The account `prod`.
IRELAND = (
    # In the band at the start of the world and every hour after it, and throttled ten minutes later.
    DemoStream(name="orders", shards=4, write=Traffic(mean=0.5, surge=0.75), consumers=("billing",)),
    # The stream is within its limit, but one shard is full, because of one partition key.
    DemoStream(
        name="payments",
        shards=4,
        write=Traffic(mean=0.42, daily=0.01, wave=0.006, noise=0.004),
        skew=(0.5, 0.6, 2.15, 0.75),
        shard_metrics=True,
    ),
    DemoStream(name="clickstream", on_demand=True, write=Traffic(mean=0.58, wave=0.06, burst=0.15)),
    # Its consumers fall behind by another 43 minutes each hour.
    DemoStream(
        name="telemetry",
        shards=2,
        write=STEADY,
        consumers=("dashboard", "archive"),
        lag=Traffic(mean=0.55, growth=0.03),
    ),
    DemoStream(name="audit", shards=8, write=QUIET, retention_hours=168),
    # 920 of the account's 1,000 concurrent executions are in use: 370 reserved, 100 provisioned, 450 others.
    DemoFunction(
        name="checkout", concurrency=300, reserved=True, traffic=Traffic(mean=0.62, wave=0.05), seconds=1.2
    ),
    DemoFunction(
        name="thumbnails", concurrency=50, reserved=True, traffic=Traffic(mean=1.2, wave=0.1), seconds=1.5
    ),
    DemoFunction(
        name="nightly-report",
        concurrency=20,
        reserved=True,
        traffic=Traffic(mean=0.1, rushes=RETRIES),
        seconds=30,
    ),
    DemoFunction(
        name="recommendations", concurrency=100, provisioned=True, traffic=Traffic(mean=0.8, wave=0.1)
    ),
    DemoFunction(name="search", concurrency=300, traffic=Traffic(mean=0.9, wave=0.02)),
    DemoFunction(name="webhooks", concurrency=200, traffic=Traffic(mean=0.9, wave=0.02), seconds=0.1),
    # At the 3,000 messages/s of a FIFO queue; CloudWatch has no metric of its throttling.
    DemoQueue(name="orders.fifo", sent=Traffic(mean=1.06, wave=0.03), in_flight=Traffic(mean=0.3)),
    DemoQueue(
        name="events.fifo",
        high_throughput=True,
        per_second=700_000,
        sent=Traffic(mean=0.03, noise=0.002),
        in_flight=Traffic(mean=0.1),
    ),
    DemoQueue(name="refunds.fifo", sent=Traffic(mean=0.2), in_flight=QUIET),
    DemoQueue(name="emails", sent=Traffic(mean=0.4), in_flight=Traffic(mean=0.55, wave=0.04, rushes=BACKLOG)),
    DemoQueue(name="exports", sent=Traffic(mean=0.1), in_flight=Traffic(mean=0.68, wave=0.08)),
    # Without data for two and a half hours.
    DemoQueue(
        name="partner-callbacks",
        sent=Traffic(mean=0.05, ended=-150),
        in_flight=Traffic(mean=0.02, ended=-150),
    ),
    DemoBucket(
        name="media-uploads",
        filters=(
            DemoBucketFilter(
                id="uploads",
                prefix="uploads/",
                write=Traffic(mean=1.1, wave=0.15),
                read=Traffic(mean=0.3),
                function="thumbnails",
            ),
            DemoBucketFilter(
                id="originals", prefix="originals/", write=QUIET, read=Traffic(mean=0.45, wave=0.1)
            ),
        ),
    ),
    DemoBucket(
        name="data-lake",
        filters=(
            DemoBucketFilter(
                id="raw", prefix="raw/", write=Traffic(mean=0.55, surge=0.35), read=Traffic(mean=0.2)
            ),
            DemoBucketFilter(id="EntireBucket", write=Traffic(mean=0.6), read=Traffic(mean=0.3)),
        ),
    ),
    DemoBucket(name="backups"),  # no request metrics
    # At its maximum size, with too high a CPU utilization.
    DemoGroup(name="web", minimum=4, maximum=12, load=Traffic(mean=1.2), cpu=Traffic(mean=0.88, wave=0.06)),
    # Idle capacity.
    DemoGroup(name="batch", minimum=6, maximum=20, load=Traffic(mean=0.2), cpu=Traffic(mean=0.11)),
    DemoGroup(
        name="workers",
        minimum=2,
        maximum=10,
        load=Traffic(mean=0.5),
        cpu=Traffic(mean=0.5, wave=0.05),
        metrics=False,
    ),
    DemoGroup(
        name="api",
        minimum=4,
        maximum=16,
        load=Traffic(mean=0.6, wave=0.12),
        cpu=Traffic(mean=0.55, wave=0.04),
        target=55.0,
    ),
    # AWS has no capacity for three of the eight instances.
    DemoGroup(name="gpu", minimum=8, maximum=12, load=Traffic(mean=0.6), cpu=Traffic(mean=0.72), missing=3),
    DemoGroup(
        name="mixed",
        minimum=8,
        maximum=48,
        load=Traffic(mean=0.8, wave=0.06),
        cpu=Traffic(mean=0.6, wave=0.05),
        weight=4,
    ),
    DemoRestApi(
        name="storefront",
        stages=(
            DemoStage(
                name="prod",
                per_second=1500,
                traffic=Traffic(mean=0.8, wave=0.08),
                has_throttle=True,
                shares={"GET /products": 0.85, "GET /search": 0.15},
                methods=(
                    DemoMethod(
                        path="/checkout",
                        verb="POST",
                        per_second=200,
                        traffic=Traffic(mean=0.6, surge=0.55),
                        function="checkout",
                    ),
                ),
            ),
            DemoStage(
                name="beta", per_second=100, traffic=Traffic(mean=0.15, rushes=LOAD_TEST), has_throttle=True
            ),
        ),
    ),
    DemoHttpApi(
        name="mobile",
        per_second=2000,
        traffic=Traffic(mean=0.6, wave=0.06),
        has_throttle=True,
        routes={"GET /feed": None, "POST /orders": 400.0},
    ),
    DemoHttpApi(
        name="live-scores",
        per_second=1000,
        traffic=Traffic(mean=0.4, wave=0.1, burst=0.3),
        web_socket=True,
        routes={"$connect": None, "sendmessage": None},
    ),
    DemoUsagePlan(
        name="partner-gold",
        api="storefront",
        stage="prod",
        per_second=100,
        quota=1_000_000,
        period="DAY",
        keys={"acme": 0.85, "globex": 0.3},
    ),
)

VIRGINIA = (
    DemoStream(name="orders-us", shards=2, write=Traffic(mean=0.68, wave=0.06, rushes=SALE)),
    StoryStream(name=STORY_STREAM),
    DemoStream(name="inventory", shards=1, write=Traffic(mean=0.79, wave=0.03), readers=2),
    DemoStream(name="ad-events", on_demand=True, write=Traffic(mean=0.3, burst=0.3)),
    DemoStream(name="archive-2019", shards=6, write=QUIET),  # idle capacity
    DemoFunction(name="orders-api", concurrency=1200, traffic=Traffic(mean=0.8, wave=0.06)),
    DemoFunction(
        name="image-resize",
        concurrency=200,
        reserved=True,
        traffic=Traffic(mean=0.5, surge=0.6),
        queue="thumbnails",
    ),
    DemoFunction(name="etl", concurrency=150, provisioned=True, traffic=Traffic(mean=0.3), seconds=5),
    # Grows by 4 % of its limit each hour.
    DemoQueue(name="shipments.fifo", sent=Traffic(mean=0.72, growth=0.04), in_flight=Traffic(mean=0.5)),
    DemoQueue(name="thumbnails", sent=Traffic(mean=0.5), in_flight=Traffic(mean=0.6, surge=0.36)),
    DemoQueue(name="audit-log", sent=QUIET, in_flight=QUIET),
    DemoBucket(
        name="web-assets",
        filters=(
            DemoBucketFilter(id="static", prefix="static/", read=Traffic(mean=0.76, wave=0.05), write=QUIET),
        ),
    ),
    DemoBucket(
        name="access-logs",
        filters=(
            DemoBucketFilter(
                id="logs", prefix="logs/", write=Traffic(mean=0.5, wave=0.12), read=Traffic(mean=0.02)
            ),
        ),
    ),
    DemoBucket(name="legal-archive"),  # no request metrics
    DemoGroup(
        name="web-us",
        minimum=3,
        maximum=15,
        load=Traffic(mean=0.66, wave=0.12),
        cpu=Traffic(mean=0.62, wave=0.12),
        target=60.0,
        load_balancer="app/shop-us/7c1d5e90a2b34f68",
        target_group="web-us/41f6b08d97ce2a53",
    ),
    DemoGroup(
        name="render", minimum=2, maximum=30, load=Traffic(mean=0.9, wave=0.05), cpu=Traffic(mean=0.66)
    ),
    # Together 9,200 of the account's 10,000 requests/s.
    DemoRestApi(
        name="public-api",
        stages=(DemoStage(name="v1", per_second=7000, traffic=Traffic(mean=0.92, wave=0.03)),),
    ),
    DemoHttpApi(name="partners", per_second=3000, traffic=Traffic(mean=0.92, wave=0.04), has_throttle=True),
)

# The account `staging`: small copies of resources in production, and forgotten resources.
STAGING_IRELAND = (
    DemoStream(name="orders-staging", shards=1, write=Traffic(mean=0.5, wave=0.05)),
    DemoStream(name="load-test-2025", shards=12, write=Traffic(mean=0.01, noise=0.002)),  # idle capacity
    DemoFunction(name="checkout-staging", concurrency=60, traffic=Traffic(mean=0.5, wave=0.1)),
    DemoFunction(name="e2e-tests", concurrency=250, traffic=Traffic(mean=0.7, surge=0.4), seconds=20),
    DemoQueue(name="orders-staging.fifo", sent=Traffic(mean=0.1), in_flight=Traffic(mean=0.2)),
    DemoQueue(name="emails-staging", sent=QUIET, in_flight=Traffic(mean=0.45, wave=0.04)),
    DemoBucket(name="staging-artifacts"),  # no request metrics
    DemoGroup(
        name="web-staging", minimum=1, maximum=3, load=Traffic(mean=0.9), cpu=Traffic(mean=0.8, wave=0.1)
    ),
)

# The account `analytics`: traffic with a weekly pattern.
ANALYTICS_VIRGINIA = (
    DemoStream(name="page-views", shards=6, write=Traffic(mean=0.5, weekly=0.3, wave=0.02)),
    DemoStream(name="enriched-views", shards=4, write=Traffic(mean=0.6, weekly=0.32), consumers=("lake",)),
    DemoFunction(name="enrich", concurrency=400, reserved=True, traffic=Traffic(mean=0.5, weekly=0.3)),
    DemoFunction(name="aggregate", concurrency=150, traffic=Traffic(mean=0.6, surge=0.3), seconds=40),
    DemoQueue(name="reports", sent=QUIET, in_flight=Traffic(mean=0.6, wave=0.1)),
    DemoBucket(
        name="analytics-lake",
        filters=(
            DemoBucketFilter(
                id="events", prefix="events/", write=Traffic(mean=0.6, weekly=0.25), read=Traffic(mean=0.3)
            ),
        ),
    ),
    DemoGroup(
        name="query-workers",
        minimum=2,
        maximum=24,
        load=Traffic(mean=0.6, weekly=0.25),
        cpu=Traffic(mean=0.6),
    ),
)

STAGING, ANALYTICS = "210987654321", "345678901234"
REGIONS = (
    DemoRegion("eu-west-1", IRELAND),
    DemoRegion(
        "us-east-1",
        VIRGINIA,
        applied_quotas={"L-B99A9384": 3000, "L-CDE20ADC": 1000},
        requested_quotas={"L-8A5B8E43": 20_000},
    ),
    DemoRegion("ap-southeast-2", denied=True),  # every call is denied
    DemoRegion("eu-west-1", STAGING_IRELAND, account=STAGING),
    DemoRegion("us-east-1", account=STAGING),  # always enabled, and empty
    DemoRegion("us-east-1", ANALYTICS_VIRGINIA, account=ANALYTICS),
)


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account of the demo. services: the services read in it; empty: all services of the demo."""

    name: str
    id: str
    services: tuple[str, ...] = ()

    def entry(self) -> dict[str, Any]:
        """Return the account's entry in `accounts` of the configuration; the first account needs no role."""
        role = {} if self.id == ACCOUNT else {"role_arn": f"arn:aws:iam::{self.id}:role/headroom"}
        return {"name": self.name, **role, **({"services": [*self.services]} if self.services else {})}


# The services that are read in the other accounts than `prod`.
OTHER_ACCOUNT_SERVICES = ("autoscaling", "kinesis", "lambda", "s3", "sqs")
ACCOUNTS = (
    DemoAccount("prod", ACCOUNT),
    DemoAccount("staging", STAGING, OTHER_ACCOUNT_SERVICES),
    DemoAccount("analytics", ANALYTICS, OTHER_ACCOUNT_SERVICES),
)


def create_world(start: int, scenes: BegunScenes | None = None) -> list[DemoRegion]:
    """Return the regions of all accounts.

    start: the start of the world, in minutes since 1970. scenes: the begun scenes of the story; None: no
    scene ever begins.
    """
    begun_scenes = scenes or BegunScenes()
    return [
        replace(
            region,
            resources=tuple(_with_scenes(resource, start, begun_scenes) for resource in region.resources),
            start=start,
            enabled_regions=tuple(other.name for other in REGIONS if other.account == region.account),
            ids={},
        )
        for region in REGIONS
    ]


def _with_scenes(resource: Any, start: int, scenes: BegunScenes) -> Any:
    """Return the resource; the story's stream gets the scenes."""
    return replace(resource, start=start, scenes=scenes) if isinstance(resource, StoryStream) else resource
