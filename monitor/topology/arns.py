"""The resources that ARNs and addresses name, as hops of request paths."""

import re
from typing import NamedTuple

# By service of an ARN: the service of the hop, and a pattern of the part of the ARN after the account. The
# first group of the pattern is the resource of the hop.
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
    r"arn:[a-z-]+:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]*):(?P<resource>.+)"
)
MAX_LENGTH = 2048  # characters of an ARN or an address
# Integration addresses of API Gateway: Lambda's address with the ARN of a function, or the path of a queue.
FUNCTION_ADDRESS = re.compile(r"/functions/(?P<arn>arn:[^/]+)/invocations$")
QUEUE_ADDRESS = re.compile(
    r"(?P<start>arn:[a-z-]+):apigateway:(?P<region>[a-z0-9-]+):sqs:path/(?P<account>[0-9]{12})/(?P<name>[^/]+)$"
)
Identity = tuple[str, str, str, str]  # service, resource, account and region


class PathNode(NamedTuple):
    """A resource that may be a hop of a request path.

    name: the name that people use, where it is not the resource's id. by_name: true if CloudWatch identifies
    the resource by its name; request paths then use the name as well.
    """

    service: str
    resource: str
    account: str
    region: str
    name: str = ""
    by_name: bool = False

    @property
    def identity(self) -> Identity:
        """The node without its name, which some references to the resource do not contain."""
        return self[:4]

    @property
    def shown_resource(self) -> str:
        """The resource as request paths name it."""
        return self.name if self.by_name and self.name else self.resource


class PathLink(NamedTuple):
    """A link: the requests, messages or records of `source` go on to `target`."""

    source: PathNode
    target: PathNode


def node_of_arn(arn: str, account: str = "", region: str = "") -> PathNode | None:
    """Return the resource of an ARN; None if it cannot be a hop.

    account, region: the defaults where the ARN contains none.
    """
    match = ARN.fullmatch(arn) if len(arn) <= MAX_LENGTH else None
    if not match or match["service"] not in PATTERNS:
        return None
    service, pattern = PATTERNS[match["service"]]
    if not (resource := pattern.fullmatch(match["resource"])):
        return None
    return PathNode(service, resource[1], match["account"] or account, match["region"] or region)


def node_of_integration(address: str) -> PathNode | None:
    """Return the resource that an integration of API Gateway calls; None if it cannot be a hop."""
    if len(address) > MAX_LENGTH:
        return None
    if function := FUNCTION_ADDRESS.search(address):
        return node_of_arn(function["arn"])
    if queue := QUEUE_ADDRESS.fullmatch(address):
        return PathNode("sqs", queue["name"], queue["account"], queue["region"])
    return node_of_arn(address)
