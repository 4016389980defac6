"""The CloudFormation template of a metric stream, its delivery stream, backup bucket and roles."""

from collections.abc import Mapping
from typing import Any

RESOURCE_NAME = "headroom"
PropertyValue = Any
Properties = Mapping[str, PropertyValue]

FIREHOSE, STREAMS = "firehose.amazonaws.com", "streams.metrics.cloudwatch.amazonaws.com"
PUT_ACTIONS = ["firehose:PutRecord", "firehose:PutRecordBatch"]
BACKUP_ACTIONS = ["s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:ListBucket", "s3:PutObject"]


def arn(resource: str) -> PropertyValue:
    """Return a reference to the ARN of a resource of the template."""
    return {"Fn::GetAtt": [resource, "Arn"]}


def template(metric_filters: Properties) -> dict[str, PropertyValue]:
    """Return the template. metric_filters: the properties of the metric stream that select its metrics."""
    backup_objects = {"Fn::Sub": "${Bucket.Arn}/*"}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Streams to Headroom the CloudWatch metrics that it reads.",
        "Parameters": {
            "Url": {"Type": "String", "Description": "https://, the host, and /firehose/v1"},
            "AccessKey": {"Type": "String", "NoEcho": True, "Description": "One of Headroom's access keys"},
        },
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": backup_bucket()},
            "FirehoseRole": role(FIREHOSE, BACKUP_ACTIONS, [arn("Bucket"), backup_objects]),
            "Firehose": {"Type": "AWS::KinesisFirehose::DeliveryStream", "Properties": delivery_stream()},
            "MetricStreamRole": role(STREAMS, PUT_ACTIONS, [arn("Firehose")]),
            "MetricStream": {
                "Type": "AWS::CloudWatch::MetricStream",
                "Properties": {
                    "Name": RESOURCE_NAME,
                    "FirehoseArn": arn("Firehose"),
                    "RoleArn": arn("MetricStreamRole"),
                    "OutputFormat": "json",
                    **metric_filters,
                },
            },
        },
    }


def role(service: str, actions: list[str], resources: list[PropertyValue]) -> PropertyValue:
    """Return a role that only `service`, acting for this account, may assume."""
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": service},
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    permissions = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [
                {
                    "PolicyName": RESOURCE_NAME,
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": [permissions]},
                }
            ],
        },
    }


def backup_bucket() -> Properties:
    """Return the bucket for records that Firehose could not deliver.

    The records expire after 7 days. Headroom has polled the missing points long before.
    """
    access_blocks = (
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    )
    return {
        "PublicAccessBlockConfiguration": dict.fromkeys(access_blocks, True),
        "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ExpirationInDays": 7}]},
    }


def delivery_stream() -> Properties:
    """Return the delivery stream.

    It delivers every 60 s or 1 MiB, and retries for 7200 s, the maximum of Firehose.
    """
    return {
        "DeliveryStreamName": RESOURCE_NAME,
        "DeliveryStreamType": "DirectPut",
        "HttpEndpointDestinationConfiguration": {
            "EndpointConfiguration": {
                "Name": "Headroom",
                "Url": {"Ref": "Url"},
                "AccessKey": {"Ref": "AccessKey"},
            },
            "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 1},
            "RequestConfiguration": {"ContentEncoding": "GZIP"},
            "RetryOptions": {"DurationInSeconds": 7200},
            "RoleARN": arn("FirehoseRole"),
            "S3BackupMode": "FailedDataOnly",
            "S3Configuration": {"BucketARN": arn("Bucket"), "RoleARN": arn("FirehoseRole")},
        },
    }
