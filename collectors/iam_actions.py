"""The IAM action that an operation needs.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

# The prefixes of actions, where they are not the name of the client.
PREFIXES = {
    "apigatewayv2": "apigateway",
    "docdb": "rds",
    "eventbridgev2": "events",
    "efs": "elasticfilesystem",
    "elbv2": "elasticloadbalancing",
    "neptune": "rds",
    "opensearch": "es",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
    "stepfunctions": "states",
}
# Actions whose names are not those of the operations.
ACTIONS = {
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
    ("s3", "ListBucketMetricsConfigurations"): "s3:GetMetricsConfiguration",
}
HTTP_METHOD_PREFIXES = frozenset({"apigateway"})  # whose actions are HTTP methods


def iam_action(client: str, operation: str) -> str:
    """Return the IAM action that an operation of a client needs."""
    prefix = PREFIXES.get(client, client)
    if prefix in HTTP_METHOD_PREFIXES:
        return f"{prefix}:GET"  # all operations that Headroom calls only read
    return ACTIONS.get((client, operation), f"{prefix}:{operation}")
