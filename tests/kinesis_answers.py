"""Responses of Kinesis about its streams."""

from typing import Any

from tests.fake_aws import ACCOUNT_ID

SHARD_LIMITS = {
    "OpenShardCount": 40,
    "ShardLimit": 50,
    "OnDemandStreamCount": 0,
    "OnDemandStreamCountLimit": 50,
}


def stream_names(*streams: str) -> dict[str, Any]:
    """Return a response of ListStreams."""
    return {"StreamNames": list(streams), "HasMoreStreams": False}


def stream_summary(name: str, shards: int, **more: Any) -> dict[str, Any]:
    """Return a response of DescribeStreamSummary for a provisioned stream. more: further or other fields."""
    return {
        "StreamDescriptionSummary": {
            "StreamName": name,
            "StreamARN": f"arn:aws:kinesis:eu-west-1:{ACCOUNT_ID}:stream/{name}",
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": "2026-01-01T00:00:00Z",
            "EnhancedMonitoring": [{}],
            "OpenShardCount": shards,
            **more,
        }
    }
