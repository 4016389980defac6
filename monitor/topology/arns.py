"""The resources that ARNs and addresses name, as hops of request paths."""

import re
from typing import NamedTuple

# What follows the region and the account in ARNs, by service of the ARN: the service of the hop, and a
# pattern whose first group is its resource.
PATTERNS = {
    "lambda": ("lambda", re.compile(r"function:([^:/]+)(?::[^:]+)?")),
    "sqs": ("sqs", re.compile(r"([^:/]+)")),
    "sns": ("sns", re.compile(r"([^:/]+)")),
    "kinesis": ("kinesis", re.compile(r"stream/([^:/]+)(?:/consumer/.+)?")),
    "firehose": ("firehose", re.compile(r"deliverystream/([^:/]+)")),
    "dynamodb": ("dynamodb", re.compile(r"table/([^:/]+)(?:/stream/.+)?")),
    "states": ("states", re.compile(r"stateMachine:([^:/]+)(?::[^:]+)?")),
    "elasticloadbalancing": ("alb", re.compile(r"loadbalancer/(app/[^:]+)")),
}
ARN = re.compile(
    r"arn:[a-z-]+:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]*):(?P<rest>.+)"
)
MAX_LENGTH = 2048  # characters of an ARN or an address
# What API Gateway calls: a function's ARN within the address of Lambda, or the path of a queue.
OF_FUNCTION = re.compile(r"/functions/(?P<arn>arn:[^/]+)/invocations$")
OF_QUEUE = re.compile(
    r"(?P<start>arn:[a-z-]+):apigateway:(?P<region>[a-z0-9-]+):sqs:path/(?P<account>[0-9]{12})/(?P<name>[^/]+)$"
)
Identity = tuple[str, str, str, str]  # service, resource, account and region


class PathNode(NamedTuple):
    """A resource that may be a hop. name: what people call it, where that is not the resource.

    by_name: CloudWatch knows it by its name, so that a path names it so.
    """

    service: str
    resource: str
    account: str
    region: str
    name: str = ""
    by_name: bool = False

    @property
    def identity(self) -> Identity:
        """The node without its name, which not everything tells that refers to it."""
        return self[:4]

    @property
    def shown_resource(self) -> str:
        """The resource as a path names it."""
        return self.name if self.by_name and self.name else self.resource


class PathLink(NamedTuple):
    """A resource and the next one that its units go to."""

    source: PathNode
    target: PathNode


def node_of_arn(arn: str, account: str = "", region: str = "") -> PathNode | None:
    """Return the resource of an ARN; None where it can be no hop.

    account, region: where the ARN tells none.
    """
    found = ARN.fullmatch(arn) if len(arn) <= MAX_LENGTH else None
    if not found or found["service"] not in PATTERNS:
        return None
    service, pattern = PATTERNS[found["service"]]
    if not (resource := pattern.fullmatch(found["rest"])):
        return None
    return PathNode(service, resource[1], found["account"] or account, found["region"] or region)


def node_of_integration(address: str) -> PathNode | None:
    """Return the resource that an integration of API Gateway calls; None where it can be no hop."""
    if len(address) > MAX_LENGTH:
        return None
    if function := OF_FUNCTION.search(address):
        return node_of_arn(function["arn"])
    if queue := OF_QUEUE.fullmatch(address):
        return PathNode("sqs", queue["name"], queue["account"], queue["region"])
    return node_of_arn(address)
