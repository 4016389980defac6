"""Reads the tags of resources, for all services of an account and region at once.

API: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from collectors.base import Aws, Collector, Resource

ACTIONS = ("tag:GetResources",)
RATES = {"resourcegroupstaggingapi": 5}  # calls per second; the default quota of an account is 15
PAGE_SIZE = 100  # resources per page

Tags = Mapping[str, str]


async def read(aws: Aws, arns: Collection[str], keys: Collection[str]) -> dict[str, Tags]:
    """Read the tags of all resources that have tags, by ARN.

    arns: the templates of the resources (see `Collector.arns`). keys: the keys of the needed tags;
    for a single key, only resources that have it are requested. Raises the errors of `Aws.list_items`.
    """
    filters: dict[str, Any] = {"TagFilters": [{"Key": key} for key in keys]} if len(keys) == 1 else {}
    types = sorted(map(resource_type, arns))
    mappings = aws.list_items(
        "resourcegroupstaggingapi",
        "GetResources",
        "ResourceTagMappingList",
        ResourceTypeFilters=types,
        ResourcesPerPage=PAGE_SIZE,
        **filters,
    )
    return {
        mapping["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in mapping.get("Tags", ())}
        async for mapping in mappings
    }


def resource_type(arn: str) -> str:
    """Return the resource type of an ARN template as in filters of GetResources: `lambda:function`, `sqs`."""
    _, _, service, _, _, resource = arn.split(":", 5)
    kind = resource.partition("{")[0].rstrip(":/")
    return f"{service}:{kind}" if kind else service


def arns_of(collector: Collector, aws: Aws, resource: Resource) -> Iterator[str]:
    """Yield the ARNs of a resource and of the resources that it is a part of, the outermost first."""
    cell = {"partition": aws.partition, "region": aws.region, "account_id": aws.account}
    for kind in resource.ids:
        if template := collector.arns.get(kind):
            yield template.format(**cell, **resource.ids)
