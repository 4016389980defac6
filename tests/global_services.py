"""Declarations of a global service (DNS) and a regional service (topics), and an AWS with both."""

import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from collectors.botocore_problems import botocore_problems
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.registry import Registry, build_registry
from rules.signals import Service
from tests.http_endpoint import serve_http

DNS = """
service: dns
scope: global
namespace: AWS/Route53
metrics:
  DNSQueries: {stat: Sum}
  ResourceCount: {namespace: AWS/Usage, stat: Maximum, dimensions: {Service: Route 53}}
resources:
  hosted_zone:
    list: {call: route53.ListHostedZones, items: HostedZones}
    id: after_last(Id, '/')
    facts: {records: ResourceRecordSetCount}
    dimensions: {HostedZoneId: "{hosted_zone}"}
    arn: arn:{partition}:route53:::hostedzone/{hosted_zone}
signals:
  zone_records: {resource: hosted_zone, usage: records}
  zone_queries:
    resource: hosted_zone
    usage: rate(DNSQueries)
    bound: {reason: One endpoint of many., enable: "aws route53 get-hosted-zone --region {region}"}
  zones: {usage: ResourceCount}
"""
TOPICS = """
service: topics
namespace: AWS/SNS
metrics:
  ResourceCount: {namespace: AWS/Usage, stat: Maximum, dimensions: {Service: SNS}}
resources:
  topic:
    list: {call: sns.ListTopics, items: Topics}
    id: after_last(TopicArn, ':')
signals:
  topics: {usage: ResourceCount}
  listed: {usage: count(topic)}
"""
ACCOUNT = "123456789012"
ZONE = "Z0123456789"
GLOBAL_CELL, HOME_CELL = (ACCOUNT, "global"), (ACCOUNT, "us-east-1")
SIGNING_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
# Responses of AWS.
CALLER = f"""<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{ACCOUNT}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
ASSUMED = """<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>
<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
ZONES = f"""<ListHostedZonesResponse><HostedZones><HostedZone><Id>/hostedzone/{ZONE}</Id>
<Name>example.org.</Name><CallerReference>1</CallerReference>
<ResourceRecordSetCount>70</ResourceRecordSetCount></HostedZone></HostedZones>
<IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>"""
TOPIC_LIST = """<ListTopicsResponse><ListTopicsResult><Topics><member>
<TopicArn>arn:aws:sns:eu-west-1:123456789012:orders</TopicArn></member></Topics></ListTopicsResult>
</ListTopicsResponse>"""
DENIED = """<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>
<Message>not authorized</Message></Error><RequestId>1</RequestId></ErrorResponse>"""


def signal(**fields: Any) -> dict[str, Any]:
    """Return a signal of the catalogue with these fields, and defaults for the others."""
    return {
        "title": "Size",
        "unit": "items",
        "kind": "fixed",
        "default": {"value": 100, "by_region": {"us-east-1": 140, "cn-northwest-1": 280}},
        "why": "It is full.",
        "saturation": "It is not counted.",
        "remedy": ["Delete some."],
        "docs": ["https://docs.aws.amazon.com/Route53/"],
        **fields,
    }


CATALOGUE = (
    {
        "service": "dns",
        "title": "Route 53",
        "console": "route53/v2/hostedzones?region={region}#ListRecordSets/{parent}",
        "signals": {
            "zone_records": signal(
                command="aws route53 get-hosted-zone --id={hosted_zone} --region={region}"
            ),
            "zone_queries": signal(),
            "zones": signal(kind="quota", quota={"service": "route53", "code": "L-00000001"}),
        },
    },
    {"service": "topics", "title": "Topics", "signals": {"topics": signal(), "listed": signal()}},
)


def global_registry(dns: str = DNS) -> Registry:
    """Return the registry of both services. dns: the declaration of the global service."""
    declarations = [parse_declaration(text.encode(), "own.yaml") for text in (dns, TOPICS)]
    assert [problem for declaration in declarations for problem in botocore_problems(declaration)] == []
    return build_registry(map(collector_of, declarations), map(Service.model_validate, CATALOGUE))


class GlobalAws:
    """An AWS on loopback that counts calls by service and signing region.

    denied: the services that deny everything. metrics: the numbers of requested metrics, by namespace and
    region.
    """

    def __init__(self, *denied: str) -> None:
        self.denied, self.url = denied, ""
        self.calls: Counter[tuple[str, str]] = Counter()
        self.metrics: Counter[tuple[str, str]] = Counter()

    @classmethod
    @asynccontextmanager
    async def serving(cls, *denied: str) -> AsyncIterator["GlobalAws"]:
        """Serve until the context exits."""
        aws = cls(*denied)
        async with serve_http(aws.handle) as port:
            aws.url = f"http://127.0.0.1:{port}"
            yield aws

    async def handle(self, request: web.Request) -> web.Response:
        match = SIGNING_SCOPE.search(request.headers["Authorization"])
        assert match
        region, service = match.groups()
        self.calls[service, region] += 1
        if service in self.denied:
            return web.Response(status=403, text=DENIED, content_type="text/xml")
        body = await request.read()
        if service == "monitoring":
            return web.json_response(self._points(json.loads(body), region))
        if service == "servicequotas":
            return web.json_response({"Quotas": [], "RequestedQuotas": [], "Quota": {"Value": 500.0}})
        action = parse_qs(body.decode()).get("Action", [""])[0]
        answers = {"GetCallerIdentity": CALLER, "AssumeRole": ASSUMED, "ListTopics": TOPIC_LIST, "": ZONES}
        return web.Response(text=answers[action], content_type="text/xml")

    def _points(self, requested: dict[str, Any], region: str) -> dict[str, Any]:
        minute = int(time.time() // 60) * 60 - 300
        results = []
        for query in requested["MetricDataQueries"]:
            self.metrics[query["MetricStat"]["Metric"]["Namespace"], region] += 1
            values = {"Timestamps": [minute], "Values": [7.0], "StatusCode": "Complete"}
            results.append({"Id": query["Id"], "Label": "", **values})
        return {"MetricDataResults": results}
