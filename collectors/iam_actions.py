"""The IAM action that an operation needs.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

# Clients whose actions have another prefix than the client's name.
PREFIXES = {
    "apigatewayv2": "apigateway",
    "docdb": "rds",
    "efs": "elasticfilesystem",
    "elbv2": "elasticloadbalancing",
    "neptune": "rds",
    "opensearch": "es",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
    "stepfunctions": "states",
}
# Operations whose action is named otherwise. API Gateway's actions are HTTP methods.
ACTIONS = {
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
    ("s3", "ListBucketMetricsConfigurations"): "s3:GetMetricsConfiguration",
}
HTTP_METHOD_SERVICES = frozenset({"apigateway"})


def iam_action(client: str, operation: str) -> str:
    """Return the IAM action that an operation of a client needs."""
    prefix = PREFIXES.get(client, client)
    if prefix in HTTP_METHOD_SERVICES:
        return f"{prefix}:GET"  # as all operations in use read
    return ACTIONS.get((client, operation), f"{prefix}:{operation}")
