"""Services that do not come with Headroom, and registries of them."""

from collections.abc import Mapping
from pathlib import Path

from collectors.base import Collector, Metric
from collectors.registry import Registry, build_registry
from rules.signals import Service


def own_collector(name: str) -> Collector:
    """The collector of a service `name`: one metric, one permission, one rate of its own."""
    return Collector(
        service=name,
        scans=(),
        metrics=(Metric(f"Own/{name}", "Used", "p99"),),
        iam_actions=(f"{name}:ListAll",),
        call_rates={name: 3},
    )


def own_service(name: str, title: str = "") -> Service:
    """The entry of a service `name` in the catalogue: the signals `size` and `rate`, and a quota."""
    signal = {
        "title": "Size",
        "unit": "items",
        "kind": "quota",
        "quota": {"service": name, "code": "L-00000001"},
        "why": "It is full.",
        "saturation": "It is not counted.",
        "remedy": ["Delete some."],
        "docs": ["https://docs.aws.amazon.com/own/"],
    }
    signals = {"size": signal, "rate": signal | {"covered_by": "size"}}
    return Service.model_validate({"service": name, "title": title or f"Own {name}", "signals": signals})


def own_registry(*names: str) -> Registry:
    """The registry of services with these names."""
    return build_registry(map(own_collector, names), map(own_service, names))


# The declaration and the catalogue entry of a service "ours": its signal `published` has a metric.
OWN_FILES: Mapping[str, str] = {
    "collectors": """service: ours
namespace: AWS/SNS
resources:
  topic:
    list: {call: sns.ListTopics, items: Topics}
    id: TopicArn
signals:
  topics:
    usage: count(topic)
  published:
    resource: topic
    usage: rate(NumberOfMessagesPublished)
metrics:
  NumberOfMessagesPublished: {stat: Sum, unit: messages, dimensions: {TopicName: "{topic}"}}
""",
    "rules": """service: ours
title: Amazon SNS
signals:
  topics:
    title: Topics
    unit: topics
    kind: quota
    why: No topic can be created.
    saturation: Only the caller sees it.
    remedy: [Delete topics.]
    docs: [https://docs.aws.amazon.com/sns/latest/dg/sns-quotas.html]
  published:
    title: Published messages
    unit: messages/s
    kind: fixed
    why: Messages are refused.
    saturation: Only the caller sees it.
    remedy: [Publish in batches.]
    docs: [https://docs.aws.amazon.com/sns/latest/dg/sns-quotas.html]
""",
}


def write_own_files(folder: Path) -> None:
    """Write the files of a service "ours" into a folder such as `catalogue.d`."""
    for name, text in OWN_FILES.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "ours.yaml").write_text(text)
