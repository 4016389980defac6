"""The account that the demo shows: its regions and what is in them. Seeding, quotas and traffic follow.

A share of 1 is the limit of the resource; see `Traffic`. The stories are told beside the resources.
"""

from dataclasses import replace

from monitor.demo.region import Region
from monitor.demo.services.apigateway import Method, RestApi, Stage, UsagePlan
from monitor.demo.services.apigatewayv2 import HttpApi
from monitor.demo.services.autoscaling import Group
from monitor.demo.services.kinesis import Stream
from monitor.demo.services.lambda_ import Function
from monitor.demo.services.s3 import Bucket, Filter
from monitor.demo.services.sqs import Queue
from monitor.demo.traffic import Traffic

QUIET = Traffic(mean=0.06)
STEADY = Traffic(mean=0.55, wave=0.04)

IRELAND = (
    # Runs into its shards within ten minutes of each hour, from within the band to throttled.
    Stream(name="orders", shards=4, write=Traffic(mean=0.5, surge=0.75), consumers=("billing",)),
    # Calm as a whole, while one key fills one shard.
    Stream(
        name="payments",
        shards=4,
        write=Traffic(mean=0.42, day=0.01, wave=0.006, noise=0.004),
        skew=(0.5, 0.6, 2.15, 0.75),
        shard_metrics=True,
    ),
    Stream(name="clickstream", on_demand=True, write=Traffic(mean=0.58, wave=0.06, burst=0.15)),
    # Its reader falls behind by 43 minutes each hour.
    Stream(
        name="telemetry",
        shards=2,
        write=STEADY,
        consumers=("dashboard", "archive"),
        lag=Traffic(mean=0.55, growth=0.03),
    ),
    Stream(name="audit", shards=8, write=QUIET, retention_hours=168),
    # 920 of the account's 1,000 are claimed: 370 reserved, 100 provisioned, 450 running besides.
    Function(name="checkout", concurrency=300, reserved=True, traffic=Traffic(mean=0.62, wave=0.05)),
    Function(
        name="thumbnails", concurrency=50, reserved=True, traffic=Traffic(mean=1.2, wave=0.1), seconds=1.5
    ),
    Function(name="nightly-report", concurrency=20, reserved=True, traffic=Traffic(mean=0.1), seconds=30),
    Function(name="recommendations", concurrency=100, provisioned=True, traffic=Traffic(mean=0.8, wave=0.1)),
    Function(name="search", concurrency=300, traffic=Traffic(mean=0.9, wave=0.02)),
    Function(name="webhooks", concurrency=200, traffic=Traffic(mean=0.9, wave=0.02), seconds=0.1),
    # At the 3,000 messages/s of a FIFO queue; CloudWatch cannot show what was refused.
    Queue(name="orders.fifo", sent=Traffic(mean=1.06, wave=0.03), in_flight=Traffic(mean=0.3)),
    Queue(
        name="events.fifo",
        high_throughput=True,
        per_second=700_000,
        sent=Traffic(mean=0.03, noise=0.002),
        in_flight=Traffic(mean=0.1),
    ),
    Queue(name="refunds.fifo", sent=Traffic(mean=0.2), in_flight=QUIET),
    Queue(name="emails", sent=Traffic(mean=0.4), in_flight=STEADY),
    Queue(name="exports", sent=Traffic(mean=0.1), in_flight=Traffic(mean=0.68, wave=0.08)),
    # Silent for two hours and a half.
    Queue(
        name="partner-callbacks",
        sent=Traffic(mean=0.05, ended=-150),
        in_flight=Traffic(mean=0.02, ended=-150),
    ),
    Bucket(
        name="media-uploads",
        filters=(
            Filter(
                id="uploads", prefix="uploads/", write=Traffic(mean=1.1, wave=0.15), read=Traffic(mean=0.3)
            ),
            Filter(id="originals", prefix="originals/", write=QUIET, read=Traffic(mean=0.45, wave=0.1)),
        ),
    ),
    Bucket(
        name="data-lake",
        filters=(
            Filter(id="raw", prefix="raw/", write=Traffic(mean=0.55, surge=0.35), read=Traffic(mean=0.2)),
            Filter(id="EntireBucket", write=Traffic(mean=0.6), read=Traffic(mean=0.3)),
        ),
    ),
    Bucket(name="backups"),  # no request metrics
    # Pinned at its maximum, and too hot.
    Group(name="web", minimum=4, maximum=12, load=Traffic(mean=1.2), cpu=Traffic(mean=0.88, wave=0.06)),
    # Idle: paid for nothing.
    Group(name="batch", minimum=6, maximum=20, load=Traffic(mean=0.2), cpu=Traffic(mean=0.11)),
    Group(
        name="workers",
        minimum=2,
        maximum=10,
        load=Traffic(mean=0.5),
        cpu=Traffic(mean=0.5, wave=0.05),
        metrics=False,
    ),
    Group(
        name="api",
        minimum=4,
        maximum=16,
        load=Traffic(mean=0.6, wave=0.12),
        cpu=Traffic(mean=0.55, wave=0.04),
        target=55.0,
    ),
    # AWS has no capacity for three of the eight.
    Group(name="gpu", minimum=8, maximum=12, load=Traffic(mean=0.6), cpu=Traffic(mean=0.72), missing=3),
    Group(
        name="mixed",
        minimum=8,
        maximum=48,
        load=Traffic(mean=0.8, wave=0.06),
        cpu=Traffic(mean=0.6, wave=0.05),
        weight=4,
    ),
    RestApi(
        name="storefront",
        stages=(
            Stage(
                name="prod",
                per_second=1500,
                traffic=Traffic(mean=0.68, wave=0.08),
                throttled=True,
                methods=(
                    Method(
                        path="/checkout", verb="POST", per_second=200, traffic=Traffic(mean=0.6, surge=0.55)
                    ),
                ),
            ),
            Stage(name="beta", per_second=100, traffic=Traffic(mean=0.15), throttled=True),
        ),
    ),
    HttpApi(
        name="mobile",
        per_second=2000,
        traffic=Traffic(mean=0.6, wave=0.06),
        throttled=True,
        routes={"GET /feed": None, "POST /orders": 400.0},
    ),
    HttpApi(
        name="live-scores",
        per_second=1000,
        traffic=Traffic(mean=0.4, wave=0.1, burst=0.3),
        web_socket=True,
        routes={"$connect": None, "sendmessage": None},
    ),
    UsagePlan(
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
    Stream(name="orders-us", shards=2, write=Traffic(mean=0.68, wave=0.06)),
    Stream(name="inventory", shards=1, write=Traffic(mean=0.79, wave=0.03), readers=2),
    Stream(name="ad-events", on_demand=True, write=Traffic(mean=0.3, burst=0.3)),
    Stream(name="archive-2019", shards=6, write=QUIET),  # bought, and idle
    Function(name="orders-api", concurrency=1200, traffic=Traffic(mean=0.8, wave=0.06)),
    Function(name="image-resize", concurrency=200, reserved=True, traffic=Traffic(mean=0.5, surge=0.6)),
    Function(name="etl", concurrency=150, provisioned=True, traffic=Traffic(mean=0.3), seconds=5),
    # Grows by 4 % of its limit each hour.
    Queue(name="shipments.fifo", sent=Traffic(mean=0.72, growth=0.04), in_flight=Traffic(mean=0.5)),
    Queue(name="thumbnails", sent=Traffic(mean=0.5), in_flight=Traffic(mean=0.6, surge=0.36)),
    Queue(name="audit-log", sent=QUIET, in_flight=QUIET),
    Bucket(
        name="web-assets",
        filters=(Filter(id="static", prefix="static/", read=Traffic(mean=0.76, wave=0.05), write=QUIET),),
    ),
    Bucket(
        name="access-logs",
        filters=(
            Filter(id="logs", prefix="logs/", write=Traffic(mean=0.5, wave=0.12), read=Traffic(mean=0.02)),
        ),
    ),
    Bucket(name="legal-archive"),  # no request metrics
    Group(
        name="web-us",
        minimum=3,
        maximum=15,
        load=Traffic(mean=0.66, wave=0.12),
        cpu=Traffic(mean=0.62, wave=0.12),
        target=60.0,
    ),
    Group(name="render", minimum=2, maximum=30, load=Traffic(mean=0.9, wave=0.05), cpu=Traffic(mean=0.66)),
    # Together 9,200 of the account's 10,000 requests/s.
    RestApi(
        name="public-api",
        stages=(Stage(name="v1", per_second=7000, traffic=Traffic(mean=0.92, wave=0.03)),),
    ),
    HttpApi(name="partners", per_second=3000, traffic=Traffic(mean=0.92, wave=0.04), throttled=True),
)

REGIONS = (
    Region("eu-west-1", IRELAND),
    Region("us-east-1", VIRGINIA, quotas={"L-B99A9384": 3000, "L-CDE20ADC": 1000}),
    Region("ap-southeast-2", denied=True),  # where every call is refused
)


def world(start: int) -> dict[str, Region]:
    """The regions by name, of a world that starts in the minute `start`, counted from 1970."""
    names = tuple(region.name for region in REGIONS)
    return {region.name: replace(region, start=start, enabled=names, ids={}) for region in REGIONS}
