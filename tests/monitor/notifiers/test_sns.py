"""SNS: parameters that botocore's model accepts, results of errors, and a delivery to an emulated topic."""

import json
import os
from pathlib import Path
from typing import Any

import boto3
import pytest
from aiohttp import web
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, NoCredentialsError
from moto.server import ThreadedMotoServer
from pydantic import ValidationError

from monitor.notifiers.sns import Sns, payload
from monitor.outbound.client import OutboundClient
from monitor.outbound.result import DeliveryOutcome
from tests.fake_aws import FakeAws, FakeClientCache
from tests.fake_cloudwatch import fake_credentials
from tests.monitor.notifiers.hostile_texts import TEXTS, hostile_notice
from tests.monitor.notifiers.loopback import (
    build_receiver,
    http_server,
    notice,
    notification,
    resolved_notice,
)

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
RECEIVER = build_receiver(Sns, topic_arn=TOPIC)
FIFO = build_receiver(Sns, topic_arn=TOPIC + ".fifo")


def client_error(code: str, status: int, message: str = "no") -> ClientError:
    """Return an error as botocore raises it for Publish."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "Publish")


async def publish(outcome: Any, receiver: Sns = RECEIVER, **changes: Any) -> Any:
    """Send a notification to a topic whose Publish returns or raises `outcome`, and return the result."""
    clients = FakeClientCache(FakeAws(publish=outcome))
    async with OutboundClient(aws_clients=clients, aws_credentials=fake_credentials()) as client:
        return await receiver.send(notification(**changes), client)


def test_a_notification_is_published_with_subject_and_message_and_attributes() -> None:
    params = payload(notification(notice(), resolved_notice(), more=2), RECEIVER)
    assert params["TopicArn"] == TOPIC
    assert params["Subject"] == "[3 firing] prod eu-west-1 kinesis"
    assert params["Message"].startswith("Firing, warning: Kinesis stream clicks")
    assert params["Message"].endswith("and 2 more\n")
    attributes = {name: value["StringValue"] for name, value in params["MessageAttributes"].items()}
    assert attributes == {"severity": "warning", "status": "firing"}
    assert "MessageGroupId" not in params


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws-cn:sns:eu-west-1:123456789012:alerts", "a topic in a region of the partition aws-cn"),
        ("arn:aws:sns:cn-north-1:123456789012:alerts", "a topic in a region of the partition aws,"),
        ("arn:aws-new:sns:eu-west-1:123456789012:alerts", "a topic such as"),
    ],
)
def test_a_topic_in_a_region_of_another_partition_is_rejected(arn: str, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        build_receiver(Sns, topic_arn=arn)
    assert build_receiver(Sns, topic_arn="arn:aws-cn:sns:cn-north-1:123456789012:alerts").region


def test_a_fifo_topic_deduplicates_by_notification_and_orders_by_group() -> None:
    first, repeated, later = (payload(notification(id=id), FIFO) for id in ("n 1/ü", "n 1/ü", "n-2"))
    other = payload(notification(group={"region": "us-east-1"}), FIFO)
    assert (
        first["MessageDeduplicationId"]
        == repeated["MessageDeduplicationId"]
        != later["MessageDeduplicationId"]
    )
    assert first["MessageGroupId"] == later["MessageGroupId"] != other["MessageGroupId"]
    assert all(len(first[name]) <= 128 and first[name].isalnum() for name in first if name.endswith("Id"))


@pytest.mark.parametrize("text", TEXTS)
async def test_hostile_texts_make_a_valid_message(text: str) -> None:
    params = payload(notification(*[hostile_notice(text)] * 20, group={"account_name": text}), RECEIVER)
    assert 0 < len(params["Subject"]) < 100
    assert params["Subject"].isascii()
    assert params["Subject"].isprintable()
    assert len(params["Message"].encode()) < 262_144 - 1000  # the maximum of SNS, less the attributes
    result = await publish(
        {"MessageId": "m"}, notices=(hostile_notice(text),)
    )  # the fake validates the parameters
    assert result.outcome is DeliveryOutcome.DELIVERED


ERRORS: list[tuple[Exception, DeliveryOutcome, int | None]] = [
    (client_error("InvalidParameter", 400), DeliveryOutcome.REFUSED, 400),
    (client_error("AuthorizationError", 403), DeliveryOutcome.REFUSED, 403),
    (client_error("InvalidClientTokenId", 403), DeliveryOutcome.REFUSED, 403),
    (client_error("NotFound", 404), DeliveryOutcome.REFUSED, 404),
    (client_error("KMSAccessDenied", 400), DeliveryOutcome.REFUSED, 400),
    (client_error("Throttled", 429), DeliveryOutcome.RETRY, 429),
    (client_error("Throttling", 400), DeliveryOutcome.RETRY, 400),
    (client_error("KMSThrottling", 400), DeliveryOutcome.RETRY, 400),
    (client_error("ExpiredToken", 403), DeliveryOutcome.RETRY, 403),
    (client_error("InternalError", 500), DeliveryOutcome.RETRY, 500),
    (client_error("503", 503), DeliveryOutcome.RETRY, 503),
    (NoCredentialsError(), DeliveryOutcome.RETRY, None),
    (EndpointConnectionError(endpoint_url="https://sns"), DeliveryOutcome.RETRY, None),
    (ConnectTimeoutError(endpoint_url="https://sns"), DeliveryOutcome.RETRY, None),
    (OSError(113, "No route to host"), DeliveryOutcome.RETRY, None),
]


@pytest.mark.parametrize(("raised", "outcome", "status"), ERRORS)
async def test_each_error_has_an_outcome_and_a_status_and_a_sentence(
    raised: Exception, outcome: DeliveryOutcome, status: int | None
) -> None:
    result = await publish(raised)
    assert (result.outcome, result.status) == (outcome, status)
    assert result.sentence.startswith("SNS: ")
    assert result.reason


async def test_the_error_message_of_aws_is_shown_on_one_line() -> None:
    result = await publish(client_error("NotFound", 404, "Topic\ndoes not exist" + "x" * 500))
    assert result.sentence.startswith("SNS: Topic does not exist")
    assert len(result.sentence) <= 200


def write_credentials(file: Path, key: str) -> None:
    """Write credentials with this access key to a file."""
    file.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key=s\naws_session_token=t\n")


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
async def test_rotated_credentials_are_read_again_when_aws_rejects_the_old_ones(
    code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    accepted_body = (
        "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>"
    )
    rejected_body = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    answers = [
        web.Response(text=accepted_body),
        web.Response(text=rejected_body, status=403),
        web.Response(text=accepted_body),
    ]
    async with http_server(*answers) as server, OutboundClient(endpoint_url=server.url) as client:
        for key in ("AKIAOLD", "AKIANEW"):
            write_credentials(file, key)
            result = await RECEIVER.send(notification(), client)
            assert result.outcome is DeliveryOutcome.DELIVERED, result
    access_keys = [
        headers["authorization"].partition("Credential=")[2].partition("/")[0]
        for _, headers, _ in server.requests
    ]
    assert access_keys == ["AKIAOLD", "AKIAOLD", "AKIANEW"]


async def test_a_message_reaches_an_emulated_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        sns, sqs = (boto3.client(name, region_name="eu-west-1", endpoint_url=url) for name in ("sns", "sqs"))
        topic_arn, queue_url = create_topic_and_queue(sns, sqs)
        async with OutboundClient(endpoint_url=url) as client:
            accepted = await build_receiver(Sns, topic_arn=topic_arn).send(notification(), client)
            refused = await RECEIVER.model_copy(update={"topic_arn": topic_arn + "x"}).send(
                notification(), client
            )
        [message] = sqs.receive_message(QueueUrl=queue_url)["Messages"]
        sns.close()
        sqs.close()
    finally:
        server.stop()
    assert accepted.outcome is DeliveryOutcome.DELIVERED
    assert (refused.outcome, refused.status) == (DeliveryOutcome.REFUSED, 404)
    body = json.loads(message["Body"])
    assert body["Subject"] == "[1 firing] prod eu-west-1 kinesis"
    assert body["Message"].startswith("Firing, warning: Kinesis")
    assert body["MessageAttributes"]["severity"]["Value"] == "warning"


def create_topic_and_queue(sns: Any, sqs: Any) -> tuple[str, str]:
    """Create a topic, and a queue that is subscribed to it. Return the topic's ARN and the queue's URL."""
    topic_arn = sns.create_topic(Name="alerts")["TopicArn"]
    queue_url = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"])
    return topic_arn, queue_url
