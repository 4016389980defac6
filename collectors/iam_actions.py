"""The IAM action that an operation needs.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

# The prefixes of actions by client, where they differ from the client's name.
PREFIXES = {
    "accessanalyzer": "access-analyzer",
    "amp": "aps",
    "apigatewayv2": "apigateway",
    "appintegrations": "app-integrations",
    "bedrock-agent": "bedrock",
    "bedrock-agentcore-control": "bedrock-agentcore",
    "bedrock-data-automation": "bedrock",
    "chime-sdk-identity": "chime",
    "chime-sdk-media-pipelines": "chime",
    "chime-sdk-voice": "chime",
    "cleanroomsml": "cleanrooms-ml",
    "cloudhsmv2": "cloudhsm",
    "codeguruprofiler": "codeguru-profiler",
    "connectcampaigns": "connect-campaigns",
    "connectcases": "cases",
    "customer-profiles": "profile",
    "devops-agent": "aidevops",
    "docdb": "rds",
    "eventbridgev2": "events",
    "efs": "elasticfilesystem",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "emr": "elasticmapreduce",
    "greengrassv2": "greengrass",
    "ivs-realtime": "ivs",
    "keyspaces": "cassandra",
    "launch-wizard": "launchwizard",
    "lexv2-models": "lex",
    "location": "geo",
    "migrationhuborchestrator": "migrationhub-orchestrator",
    "mwaa": "airflow",
    "neptune": "rds",
    "opensearch": "es",
    "opensearchserverless": "aoss",
    "pinpoint": "mobiletargeting",
    "pinpoint-sms-voice-v2": "sms-voice",
    "resourcegroupstaggingapi": "tag",
    "s3control": "s3",
    "service-quotas": "servicequotas",
    "servicecatalog-appregistry": "servicecatalog",
    "sesv2": "ses",
    "socialmessaging": "social-messaging",
    "sso-admin": "sso",
    "stepfunctions": "states",
    "supplychain": "scn",
    "timestream-query": "timestream",
    "timestream-write": "timestream",
    "voice-id": "voiceid",
    "workspaces-thin-client": "thinclient",
}
# The actions of operations by client and operation, where their names differ from the operation's.
ACTIONS = {
    ("dms", "DescribeDataProviders"): "dms:ListDataProviders",
    ("dms", "DescribeInstanceProfiles"): "dms:ListInstanceProfiles",
    ("dms", "DescribeMigrationProjects"): "dms:ListMigrationProjects",
    ("keyspaces", "ListKeyspaces"): "cassandra:Select",
    ("keyspaces", "ListTables"): "cassandra:Select",
    ("s3", "GetBucketLifecycleConfiguration"): "s3:GetLifecycleConfiguration",
    ("s3", "GetBucketNotificationConfiguration"): "s3:GetBucketNotification",
    ("s3", "GetBucketReplication"): "s3:GetReplicationConfiguration",
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
    ("s3", "ListBucketMetricsConfigurations"): "s3:GetMetricsConfiguration",
    ("s3", "ListDirectoryBuckets"): "s3express:ListAllMyDirectoryBuckets",
}
# Actions that may read more than Headroom needs, with the resources that policies restrict them to: the
# system tables of Keyspaces, which list keyspaces and tables.
# https://docs.aws.amazon.com/keyspaces/latest/devguide/security_iam_id-based-policy-examples.html
ARNS_OF_ACTIONS = {"cassandra:Select": "arn:*:cassandra:*:*:/keyspace/system*"}
HTTP_METHOD_PREFIXES = frozenset({"apigateway"})  # prefixes of actions that are HTTP methods


def iam_action(client: str, operation: str) -> str:
    """Return the IAM action that an operation of a client needs."""
    prefix = PREFIXES.get(client, client)
    if prefix in HTTP_METHOD_PREFIXES:
        return f"{prefix}:GET"  # all operations that Headroom calls only read
    return ACTIONS.get((client, operation), f"{prefix}:{operation}")
