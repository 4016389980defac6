"""A made-up service that is not built in: a declaration, an entry of the catalogue, and stories."""

from typing import Any

from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.registry import Registry, build_registry
from monitor.demo.story_file import StoryFile, parse_stories
from rules.signals import Service

DECLARATION = b"""
service: brokers
namespace: Made/Up
metrics:
  PercentIOLimit: {stat: Average, unit: percent}
  MeteredIOBytes: {stat: Sum, unit: bytes}
  PermittedThroughput: {stat: Minimum, unit: bytes/s}
  ClientConnections: {stat: Sum, absent: zero}
  FailedConnections: {stat: Sum, absent: zero}
  BurstCreditBalance: {stat: Minimum, unit: bytes}
  Partitions: {stat: Maximum}
  PartitionLimit: {stat: Maximum}
  StorageLimit: {stat: Maximum, unit: bytes, period: 300}
  QueueDepth: {stat: Average}
  DeepestQueue: {name: QueueDepth, stat: Maximum}
  StorageBytes:
    stat: Maximum
    unit: bytes
    period: 300
    dimensions: {Cluster: "{cluster}", Volume: all}
resources:
  cluster:
    list: {call: kafka.ListClusters, items: ClusterInfoList}
    id: ClusterArn
    name: ClusterName
    facts: {brokers: NumberOfBrokerNodes}
    dimensions: {Cluster: "{cluster}"}
  node:
    parent: cluster
    list:
      call: kafka.ListNodes
      params: {ClusterArn: "{cluster}"}
      items: NodeInfoList
    id: NodeARN
signals:
  io: {resource: cluster, usage: PercentIOLimit}
  throughput: {resource: cluster, usage: 100 * rate(MeteredIOBytes) / PermittedThroughput}
  burst:
    resource: cluster
    when: brokers
    usage: 100 - BurstCreditBalance / (1024 * brokers)
  all_connections:
    resource: cluster
    usage: rate(ClientConnections - FailedConnections)
  connections:
    resource: cluster
    usage: rate(ClientConnections - FailedConnections)
    throttled: rate(FailedConnections)
  failures:
    resource: cluster
    usage: rate(FailedConnections)
    throttled: rate(FailedConnections)
  storage: {resource: cluster, usage: StorageBytes, published_limit: StorageLimit}
  partitions: {resource: cluster, usage: Partitions, published_limit: PartitionLimit}
  nodes: {resource: cluster, usage: count(node)}
  depth: {resource: cluster, usage: QueueDepth}
  deepest: {resource: cluster, usage: DeepestQueue, hard_limit: true}
"""

# The fields that the catalogue's entries of all signals share.
COMMON_ENTRY = {
    "title": "Share",
    "kind": "fixed",
    "why": "It is full.",
    "saturation": "It is counted.",
    "remedy": ["Delete some."],
    "docs": ["https://docs.aws.amazon.com/msk/"],
}
# The unit and the documented default limit of each signal.
UNITS_AND_DEFAULTS = {
    "io": ("percent", 100),
    "throughput": ("percent", 100),
    "burst": ("percent", 100),
    "all_connections": ("connections/s", 5000),
    "connections": ("connections/s", 50),
    "failures": ("connections/s", None),
    "storage": ("bytes", 1e12),
    "partitions": ("partitions", None),
    "nodes": ("nodes", 10),
    "depth": ("messages", 100),
    "deepest": ("messages", 500),
}

STORIES = """
service: brokers
regions:
  eu-west-1:
    quotas: {L-0000000A: 4, L-0000000C: 400}
    answers:
      kafka.ListClusters:
        - ClusterInfoList:
            - ClusterArn: arn:aws:kafka:eu-west-1:123456789012:cluster/media/1
              ClusterName: media
              NumberOfBrokerNodes: 3
        - ClusterInfoList:
            - {ClusterArn: "arn:aws:kafka:eu-west-1:123456789012:cluster/builds/2", ClusterName: builds}
            - {ClusterArn: "arn:aws:kafka:eu-west-1:123456789012:cluster/private/3", ClusterName: private}
      kafka.ListNodes(arn:aws:kafka:eu-west-1:123456789012:cluster/media/1):
        NodeInfoList: [{$repeat: 3, NodeARN: "media-{number}"}]
      kafka.ListNodes(arn:aws:kafka:eu-west-1:123456789012:cluster/builds/2): {NodeInfoList: []}
      kafka.ListNodes(arn:aws:kafka:eu-west-1:123456789012:cluster/private/3): ForbiddenException
    stories:
      io media: {mean: 0.55, wave: 0.1}
      throughput media: {mean: 0.95, noise: 0.02}
      burst media: {mean: 0.4, growth: 0.02}
      connections media: {mean: 0.9, surge: 0.5}
      storage media: {mean: 0.3, growth: 0.01}
      partitions media: {mean: 0.6, wave: 0.1}
      failures builds: {mean: 0.0, daily: 0.0, noise: 0.0, surge: 4.0}
      connections builds: {mean: 0.5}
      depth media: {mean: 0.5, daily: 0.0, noise: 0.0}
      deepest media: {mean: 2.0, daily: 0.0, noise: 0.0}
"""


def registry() -> Registry:
    """Return a registry with only the made-up service."""
    collector = collector_of(parse_declaration(DECLARATION, "brokers.yaml"))
    signals: dict[str, Any] = {
        name: COMMON_ENTRY | {"unit": unit} | ({"default": {"value": default}} if default else {})
        for name, (unit, default) in UNITS_AND_DEFAULTS.items()
    }
    for name in ("connections", "failures"):
        signals[name]["throttled_unit"] = "connections"
    for name, code in (("nodes", "L-0000000A"), ("depth", "L-0000000C")):
        signals[name] |= {"kind": "quota", "quota": {"service": "brokers", "code": code}}
    service = Service.model_validate({"service": "brokers", "title": "Brokers", "signals": signals})
    return build_registry([collector], [service])


def stories(text: str = STORIES, name: str = "brokers.yaml") -> StoryFile:
    """Return the stories of the service, in a file of this name."""
    return parse_stories(text.encode(), name)
