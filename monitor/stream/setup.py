"""What to set up in each account and region so that its metrics stream in: Terraform or CloudFormation.

The filters let through exactly the metrics that the collectors read, as a stream is billed by the metric.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from collectors import COLLECTORS
from collectors.base import Collector
from monitor.stream.cloudformation import Value, template
from monitor.stream.wanted import declared, extra

MODULE = Path(__file__).with_name("terraform.tf")
MARK = "  # FILTERS\n"

Metric = tuple[str, str]  # namespace, name


@dataclass(frozen=True, slots=True)
class Filters:
    """names: of the metrics, by namespace. extras: the metrics that need further statistics, by these."""

    names: Mapping[str, list[str]]
    extras: Mapping[tuple[str, ...], list[Metric]]


def filters(services: Collection[str], collectors: Iterable[Collector] = COLLECTORS) -> Filters:
    """What the collectors of these services read."""
    names = defaultdict[str, list[str]](list)
    extras = defaultdict[tuple[str, ...], list[Metric]](list)
    for metric, statistics in declared(one for one in collectors if one.service in services).items():
        names[metric[0]].append(metric[1])
        if further := extra(statistics):
            extras[further].append(metric)
    return Filters(names, extras)


def terraform(wanted: Filters) -> str:
    """A Terraform module, to be applied in each account and region."""
    blocks = [_include(namespace, names) for namespace, names in wanted.names.items()]
    blocks += [_statistics(statistics, metrics) for statistics, metrics in wanted.extras.items()]
    return MODULE.read_text("utf-8").replace(MARK, "\n".join(blocks))


def _include(namespace: str, names: Iterable[str]) -> str:
    return (
        f"  include_filter {{\n    namespace    = {json.dumps(namespace)}\n"
        f"    metric_names = {json.dumps(list(names))}\n  }}\n"
    )


def _statistics(statistics: Iterable[str], metrics: Iterable[Metric]) -> str:
    included = "".join(
        f"    include_metric {{\n      namespace   = {json.dumps(namespace)}\n"
        f"      metric_name = {json.dumps(name)}\n    }}\n"
        for namespace, name in metrics
    )
    told = json.dumps(list(statistics))
    return f"  statistics_configuration {{\n    additional_statistics = {told}\n{included}  }}\n"


def cloudformation(wanted: Filters) -> str:
    """A CloudFormation template in JSON, for a stack, or a stack set over accounts and regions."""
    stream: dict[str, Value] = {
        "IncludeFilters": [{"Namespace": one, "MetricNames": names} for one, names in wanted.names.items()]
    }
    if wanted.extras:
        stream["StatisticsConfigurations"] = [
            {
                "AdditionalStatistics": list(statistics),
                "IncludeMetrics": [{"Namespace": one, "MetricName": name} for one, name in metrics],
            }
            for statistics, metrics in wanted.extras.items()
        ]
    return orjson.dumps(template(stream), option=orjson.OPT_INDENT_2).decode() + "\n"


FORMATS: Final[Mapping[str, Callable[[Filters], str]]] = {
    "terraform": terraform,
    "cloudformation": cloudformation,
}
