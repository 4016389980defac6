"""Reads links between resources from AWS: mappings, integrations, notifications, subscriptions, targets."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from collectors.base import ServiceScope
from collectors.iam_actions import iam_action
from monitor.topology.arns import PathNode, node_of_arn, node_of_integration
from monitor.topology.link_scan import LinkScan, text, texts

Read = Callable[[LinkScan], Awaitable[None]]
EXECUTE_API = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")
BUCKET = re.compile(
    r"(?P<bucket>[a-z0-9.-]+)\.s3[.-](website[.-])?((?P<region>[a-z]+-[a-z-]+-\d)\.)?amazonaws\.com.*"
)


class LinkReader(NamedTuple):
    """A reader of one kind of links.

    service: the service that must be monitored for the links to be read. calls: the AWS client and operation
    of each call.
    """

    service: str
    read: Read
    calls: Sequence[tuple[str, str]]
    scope: ServiceScope = ServiceScope.REGION

    @property
    def iam_actions(self) -> Collection[str]:
        """The IAM actions that the calls need."""
        return {iam_action(*call) for call in self.calls}


async def read_event_source_mappings(scan: LinkScan) -> None:
    """Read the links from queues and streams to the functions that read them."""
    async for item in scan.items("lambda", "ListEventSourceMappings", "EventSourceMappings"):
        if text(item, "State") not in ("Disabled", "Disabling", "Deleting"):
            scan.link(
                _arn_node(scan, text(item, "EventSourceArn")), _arn_node(scan, text(item, "FunctionArn"))
            )


async def read_http_integrations(scan: LinkScan) -> None:
    """Read the links from each stage of HTTP and WebSocket APIs to the resources that the API calls."""
    async for api in scan.items("apigatewayv2", "GetApis", "Items"):
        identity, name = text(api, "ApiId"), text(api, "Name")
        targets = [
            node_of_integration(text(item, "IntegrationUri"))
            async for item in scan.items_of_resource(
                "apigatewayv2", "GetIntegrations", "Items", ApiId=identity
            )
        ]
        if any(targets):
            async for stage in scan.items_of_resource("apigatewayv2", "GetStages", "Items", ApiId=identity):
                stage_name = text(stage, "StageName")
                source = scan.node("apigateway", f"{identity}/{stage_name}", f"{name}/{stage_name}")
                _link_all(scan, source, targets)


async def read_rest_integrations(scan: LinkScan) -> None:
    """Read the links from each stage of REST APIs to the resources that the API calls."""
    async for api in scan.items("apigateway", "GetRestApis", "items"):
        identity, name = text(api, "id"), text(api, "name")
        targets: list[PathNode | None] = []
        parameters = {"restApiId": identity, "embed": ["methods"]}
        async for item in scan.items_of_resource("apigateway", "GetResources", "items", **parameters):
            methods = item.get("resourceMethods")
            for method in methods.values() if isinstance(methods, Mapping) else ():
                targets.append(node_of_integration(text(method, "methodIntegration", "uri")))
        if any(targets):
            stages = (await scan.call("apigateway", "GetStages", restApiId=identity)).get("item")
            for stage in stages if isinstance(stages, list) else ():
                stage_name = text(stage, "stageName")
                source = scan.node("apigateway", f"{identity}/{stage_name}", f"{name}/{stage_name}")
                _link_all(scan, source._replace(by_name=bool(name)), targets)


async def read_bucket_notifications(scan: LinkScan) -> None:
    """Read the links from the region's buckets to the queues, topics and functions that get their events."""
    region = {"BucketRegion": scan.cell.region}
    async for bucket in scan.items("s3", "ListBuckets", "Buckets", **region):
        name = text(bucket, "Name")
        response = await scan.call("s3", "GetBucketNotificationConfiguration", Bucket=name)
        for kind, arn_member in NOTIFICATION_ARN_MEMBERS.items():
            for configuration in _only_mappings(response.get(kind)):
                prefix = _prefix(configuration)
                source = scan.node("s3", f"{name}/{prefix}" if prefix else name)
                scan.link(source, _arn_node(scan, text(configuration, arn_member)))


# The member with the ARN of the target, by kind of notification configuration.
NOTIFICATION_ARN_MEMBERS = {
    "TopicConfigurations": "TopicArn",
    "QueueConfigurations": "QueueArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}


def _prefix(configuration: Mapping[str, Any]) -> str:
    """Return the key prefix to which a notification configuration is restricted; empty if to none."""
    filters = configuration.get("Filter", {})
    key_filter = filters.get("Key", {}) if isinstance(filters, Mapping) else {}
    rules = _only_mappings(key_filter.get("FilterRules") if isinstance(key_filter, Mapping) else None)
    return next((text(rule, "Value") for rule in rules if text(rule, "Name").lower() == "prefix"), "")


async def read_subscriptions(scan: LinkScan) -> None:
    """Read the links from topics to the queues, functions and streams that get their messages."""
    async for item in scan.items("sns", "ListSubscriptions", "Subscriptions"):
        scan.link(_arn_node(scan, text(item, "TopicArn")), _arn_node(scan, text(item, "Endpoint")))


async def read_rule_targets(scan: LinkScan) -> None:
    """Read the links from the rules of event buses to their targets."""
    async for bus in scan.items("events", "ListEventBuses", "EventBuses"):
        name = text(bus, "Name")
        async for rule in scan.items_of_resource("events", "ListRules", "Rules", EventBusName=name):
            if text(rule, "State") == "DISABLED":
                continue
            parameters = {"EventBusName": name, "Rule": text(rule, "Name")}
            source = scan.node("events", f"{name}/{text(rule, 'Name')}")
            async for target in scan.items_of_resource(
                "events", "ListTargetsByRule", "Targets", **parameters
            ):
                scan.link(source, _arn_node(scan, text(target, "Arn")))


async def read_schedules(scan: LinkScan) -> None:
    """Read the links from the schedules of EventBridge to their targets."""
    async for item in scan.items("scheduler", "ListSchedules", "Schedules"):
        if text(item, "State") != "DISABLED":
            source = scan.node("scheduler", f"{text(item, 'GroupName')}/{text(item, 'Name')}")
            scan.link(source, _arn_node(scan, text(item, "Target", "Arn")))


async def read_scaled_targets(scan: LinkScan) -> None:
    """Read the links from load balancers to the Auto Scaling groups that take their requests."""
    balancers_by_group: dict[str, list[str]] = {}
    async for group in scan.items("elbv2", "DescribeTargetGroups", "TargetGroups"):
        balancers_by_group[text(group, "TargetGroupArn")] = texts(group, "LoadBalancerArns")
    if not any(balancers_by_group.values()):
        return
    async for group in scan.items("autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroups"):
        target = scan.node("autoscaling", text(group, "AutoScalingGroupName"))
        for arn in texts(group, "TargetGroupARNs"):
            for balancer in balancers_by_group.get(arn, ()):
                scan.link(_arn_node(scan, balancer), target)


async def read_origins(scan: LinkScan) -> None:
    """Read the links from the distributions of CloudFront to the APIs and buckets that are their origins."""
    async for item in _distributions(scan):
        source = scan.node("cloudfront", text(item, "Id"))
        for origin in _only_mappings(item.get("Origins", {}).get("Items")):
            stage = text(origin, "OriginPath").strip("/")
            scan.link(source, _origin_node(scan, text(origin, "DomainName"), stage))


async def _distributions(scan: LinkScan) -> AsyncIterator[Mapping[str, Any]]:
    page = (await scan.call("cloudfront", "ListDistributions")).get("DistributionList")
    for item in _only_mappings(page.get("Items") if isinstance(page, Mapping) else None):
        if isinstance(item.get("Origins"), Mapping):
            yield item


def _origin_node(scan: LinkScan, domain: str, stage: str) -> PathNode | None:
    account = scan.cell_key[0]
    if (api := EXECUTE_API.fullmatch(domain)) and stage:
        return PathNode("apigateway", f"{api['api']}/{stage}", account, api["region"])
    if bucket := BUCKET.fullmatch(domain):
        return PathNode("s3", bucket["bucket"], account, bucket["region"] or scan.cell.region)
    return None


def _arn_node(scan: LinkScan, arn: str) -> PathNode | None:
    return node_of_arn(arn, *scan.cell_key)


def _link_all(scan: LinkScan, source: PathNode, targets: Sequence[PathNode | None]) -> None:
    for target in targets:
        scan.link(source, target)


def _only_mappings(items: Any) -> list[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


READERS = (
    LinkReader("lambda", read_event_source_mappings, [("lambda", "ListEventSourceMappings")]),
    LinkReader(
        "apigateway",
        read_http_integrations,
        [("apigatewayv2", name) for name in ("GetApis", "GetIntegrations", "GetStages")],
    ),
    LinkReader(
        "apigateway",
        read_rest_integrations,
        [("apigateway", name) for name in ("GetRestApis", "GetResources", "GetStages")],
    ),
    LinkReader(
        "s3",
        read_bucket_notifications,
        [("s3", name) for name in ("ListBuckets", "GetBucketNotificationConfiguration")],
    ),
    LinkReader("sns", read_subscriptions, [("sns", "ListSubscriptions")]),
    LinkReader(
        "events",
        read_rule_targets,
        [("events", name) for name in ("ListEventBuses", "ListRules", "ListTargetsByRule")],
    ),
    LinkReader("scheduler", read_schedules, [("scheduler", "ListSchedules")]),
    LinkReader(
        "alb",
        read_scaled_targets,
        [("elbv2", "DescribeTargetGroups"), ("autoscaling", "DescribeAutoScalingGroups")],
    ),
    LinkReader("cloudfront", read_origins, [("cloudfront", "ListDistributions")], ServiceScope.GLOBAL),
)
