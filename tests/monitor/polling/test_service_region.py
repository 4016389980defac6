"""A global service whose API and metrics are in us-west-2, and whose quotas are in the home region."""

from collectors.base import Metric
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.registry import build_registry
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.fleet.metric_query import metric_query
from monitor.polling.inventory import Inventory
from monitor.polling.metric_services import MetricServices
from monitor.polling.quota_book import QuotaBook
from rules.signals import Quota
from tests.fake_aws import FakeAws
from tests.monitor.polling.declared_entry import declared_entry
from tests.monitor.polling.service_quotas import ServiceQuotas
from tests.registries import REGISTRY

QUOTA = Quota(service="globalaccelerator", code="L-12345678")
DECLARATION = """
service: ours
scope: global
region: us-west-2
namespace: AWS/GlobalAccelerator
metrics:
  NewFlowCount: {stat: Sum, dimensions: {Accelerator: "{accelerator}"}}
resources:
  accelerator:
    list: {call: globalaccelerator.ListAccelerators, items: Accelerators}
    id: after_last(AcceleratorArn, '/')
signals:
  flows: {resource: accelerator, usage: rate(NewFlowCount)}
"""
COLLECTOR = collector_of(parse_declaration(DECLARATION.encode(), "ours.yaml"))
FLOWS = Metric("AWS/GlobalAccelerator", "NewFlowCount", "Sum").of(Accelerator="a1")


async def test_the_api_is_called_in_the_declared_region_and_quotas_are_read_in_the_home_region() -> None:
    arn = "arn:aws:globalaccelerator::123456789012:accelerator/a1"
    aws = FakeAws(
        region="us-east-1",
        list_accelerators={"Accelerators": [{"AcceleratorArn": arn}]},
        **ServiceQuotas({QUOTA: 40.0}).answers,
    )
    fleet, registry = Fleet(), build_registry([COLLECTOR], [declared_entry(QUOTA, "flows")])
    book = QuotaBook(aws.cell, [QUOTA], on_demand=True)
    await Inventory(aws.cell, fleet, Config(), registry, book).run(COLLECTOR)
    assert aws.regions == {("globalaccelerator", "us-west-2"), ("service-quotas", "us-east-1")}
    assert [key.region for key in fleet.series] == ["us-east-1"]


def test_metrics_are_requested_in_the_region_where_the_api_is_called() -> None:
    kinesis_metric = Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName="orders")
    metrics = {metric_query(FLOWS): 1, metric_query(kinesis_metric): 2}  # rows in the rings, by query
    metric_services = MetricServices([*REGISTRY.collectors, COLLECTOR])
    assert metric_services.by_region(metrics) == {
        "us-west-2": {metric_query(FLOWS): 1},
        "": {metric_query(kinesis_metric): 2},  # the region of the cell
    }
