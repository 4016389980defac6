"""The CloudFormation template of a metric stream, and of what it takes to deliver it."""

from collections.abc import Mapping
from typing import Any

NAME = "headroom"
Value = Any  # of a property
Properties = Mapping[str, Value]

FIREHOSE, STREAMS = "firehose.amazonaws.com", "streams.metrics.cloudwatch.amazonaws.com"
PUT = ["firehose:PutRecord", "firehose:PutRecordBatch"]
BACK_UP = ["s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:ListBucket", "s3:PutObject"]


def arn(resource: str) -> Value:
    return {"Fn::GetAtt": [resource, "Arn"]}


def template(stream: Properties) -> dict[str, Value]:
    """The template; `stream` are the properties that say what the metric stream tells."""
    whole = {"Fn::Sub": "${Bucket.Arn}/*"}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Streams the CloudWatch metrics that Headroom reads to Headroom.",
        "Parameters": {
            "Url": {"Type": "String", "Description": "https://, the host, and /firehose/v1"},
            "AccessKey": {"Type": "String", "NoEcho": True, "Description": "One of Headroom's access keys"},
        },
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": bucket()},
            "FirehoseRole": role(FIREHOSE, BACK_UP, [arn("Bucket"), whole]),
            "Firehose": {"Type": "AWS::KinesisFirehose::DeliveryStream", "Properties": delivery()},
            "MetricStreamRole": role(STREAMS, PUT, [arn("Firehose")]),
            "MetricStream": {
                "Type": "AWS::CloudWatch::MetricStream",
                "Properties": {
                    "Name": NAME,
                    "FirehoseArn": arn("Firehose"),
                    "RoleArn": arn("MetricStreamRole"),
                    "OutputFormat": "json",
                    **stream,
                },
            },
        },
    }


def role(service: str, actions: list[str], resources: list[Value]) -> Value:
    """What a service may do for this account."""
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": service},
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    allowed = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [
                {"PolicyName": NAME, "PolicyDocument": {"Version": "2012-10-17", "Statement": [allowed]}}
            ],
        },
    }


def bucket() -> Properties:
    """Where Firehose puts what it could not deliver; polling has filled the gap long before it expires."""
    closed = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    return {
        "PublicAccessBlockConfiguration": dict.fromkeys(closed, True),
        "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ExpirationInDays": 7}]},
    }


def delivery() -> Properties:
    """Each minute or MiB, whichever comes first; tried for two hours, the longest there is."""
    return {
        "DeliveryStreamName": NAME,
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
