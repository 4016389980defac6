"""Generates Terraform or CloudFormation for the metric stream of an account and region.

The filters include exactly the metrics that the collectors read, as AWS bills a stream by metric update.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from collectors.base import Collector, QualifiedName
from monitor.lib.errors import HeadroomError
from monitor.stream.cloudformation import PropertyValue, template
from monitor.stream.statistics import additional_statistics, statistics_by_metric

TERRAFORM_TEMPLATE = Path(__file__).with_name("terraform.tf")
FILTERS_PLACEHOLDER = "  # FILTERS\n"


class NoStreamedMetricsError(HeadroomError):
    """There is nothing to stream. A stream without filters would include, and bill, every metric."""


@dataclass(frozen=True, slots=True)
class StreamFilters:
    """The filters of a metric stream.

    names: the names of the metrics to include, by namespace.
    metrics_by_statistics: the metrics for which additional statistics are streamed, by these statistics.
    include_linked: whether to include the metrics of the accounts linked to a monitoring account.
    """

    names: Mapping[str, list[str]]
    metrics_by_statistics: Mapping[tuple[str, ...], list[QualifiedName]]
    include_linked: bool = False


class UnknownMetricError(HeadroomError):
    """A metric was named that none of the services reads each minute."""


def filters_for(
    collectors: Iterable[Collector], include_linked: bool = False, only: Collection[QualifiedName] = ()
) -> StreamFilters:
    """Return the filters for the metrics that these collectors read, or for those in `only`, if it is given.

    Raises NoStreamedMetricsError, and UnknownMetricError for a metric of `only` that is not read each minute.
    """
    names = defaultdict[str, list[str]](list)
    metrics_by_statistics = defaultdict[tuple[str, ...], list[QualifiedName]](list)
    declared = statistics_by_metric(collectors)
    if unknown := sorted({*only} - declared.keys()):
        namespace, name = unknown[0]
        raise UnknownMetricError(f"{namespace}:{name} is no metric that is read each minute")
    for metric in only or declared:
        namespace, name = metric
        names[namespace].append(name)
        if statistics := additional_statistics(declared[metric]):
            metrics_by_statistics[statistics].append(metric)
    if not names:
        raise NoStreamedMetricsError("no metric of these services is published each minute: they are polled")
    return StreamFilters(names, metrics_by_statistics, include_linked)


def terraform(filters: StreamFilters) -> str:
    """Return a Terraform module for one account and region."""
    blocks = ["  include_linked_accounts_metrics = true\n"] if filters.include_linked else []
    blocks += [_include(namespace, names) for namespace, names in filters.names.items()]
    blocks += [
        _statistics(statistics, metrics) for statistics, metrics in filters.metrics_by_statistics.items()
    ]
    return TERRAFORM_TEMPLATE.read_text("utf-8").replace(FILTERS_PLACEHOLDER, "\n".join(blocks))


def _include(namespace: str, names: Iterable[str]) -> str:
    return (
        f"  include_filter {{\n    namespace    = {json.dumps(namespace)}\n"
        f"    metric_names = {json.dumps(list(names))}\n  }}\n"
    )


def _statistics(statistics: Iterable[str], metrics: Iterable[QualifiedName]) -> str:
    include_blocks = "".join(
        f"    include_metric {{\n      namespace   = {json.dumps(namespace)}\n"
        f"      metric_name = {json.dumps(name)}\n    }}\n"
        for namespace, name in metrics
    )
    names = json.dumps(list(statistics))
    return f"  statistics_configuration {{\n    additional_statistics = {names}\n{include_blocks}  }}\n"


def cloudformation(filters: StreamFilters) -> str:
    """Return a CloudFormation template in JSON, for a stack or a stack set."""
    stream: dict[str, PropertyValue] = {
        "IncludeFilters": [
            {"Namespace": namespace, "MetricNames": names} for namespace, names in filters.names.items()
        ]
    }
    if filters.include_linked:
        stream["IncludeLinkedAccountsMetrics"] = True
    if filters.metrics_by_statistics:
        stream["StatisticsConfigurations"] = [
            {
                "AdditionalStatistics": list(statistics),
                "IncludeMetrics": [
                    {"Namespace": namespace, "MetricName": name} for namespace, name in metrics
                ],
            }
            for statistics, metrics in filters.metrics_by_statistics.items()
        ]
    return orjson.dumps(template(stream), option=orjson.OPT_INDENT_2).decode() + "\n"


FORMATS: Final[Mapping[str, Callable[[StreamFilters], str]]] = {
    "terraform": terraform,
    "cloudformation": cloudformation,
}
