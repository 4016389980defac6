"""Publishes notifications to a topic of Amazon SNS, standard or FIFO, with the environment's credentials."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from monitor.lib.partitions import arn_pattern, partition_of, partition_of_arn
from monitor.notifiers.notice import Notification
from monitor.notifiers.receiver import BaseReceiver
from monitor.notifiers.text import build_within, plain_text, title
from monitor.outbound.policy import OutboundPolicy
from monitor.outbound.result import DeliveryOutcome, DeliveryResult, delivered_result, excerpt, retry_result
from monitor.schema.problems import unexpected
from monitor.schema.types import Text

if TYPE_CHECKING:
    from monitor.outbound.client import OutboundClient

MAX_SUBJECT = 99  # characters; SNS accepts fewer than 100
MAX_MESSAGE_BYTES = 250_000  # SNS accepts 262,144, including the attributes
# If an error's code contains one of these, a retry may succeed.
RETRYABLE_CODE_PARTS = (
    "Throttl",
    "Expired",
    "RequestTimeout",
    "ServiceUnavailable",
    "InternalError",
    "InternalFailure",
)


def _require_topic(value: str) -> str:
    if not arn_pattern(r"sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?").fullmatch(value):
        raise unexpected("a topic such as arn:aws:sns:eu-west-1:123456789012:alerts", value)
    partition, partition_of_region = partition_of_arn(value).name, partition_of(value.split(":")[3]).name
    if partition != partition_of_region:
        raise unexpected(f"a topic in a region of the partition {partition}", value)
    return value


class Sns(BaseReceiver):
    """A topic of SNS, with the credentials of the environment."""

    type: Literal["sns"] = "sns"
    topic_arn: Annotated[Text, AfterValidator(_require_topic)] = Field(
        description="The topic's ARN.", examples=["arn:aws:sns:eu-west-1:123456789012:alerts"]
    )

    @property
    def region(self) -> str:
        """The region of the topic."""
        return self.topic_arn.split(":")[3]

    @property
    def policy(self) -> OutboundPolicy:
        """Allow any address: the AWS client chooses it, not the configuration of the receiver."""
        return replace(super().policy, allow_insecure=True, allow_private=True)

    async def addresses(self, client: "OutboundClient") -> Sequence[str]:
        from botocore.utils import get_environ_proxies

        url = (await client.aws_client("sns", self.region)).meta.endpoint_url
        is_proxied = url.partition(":")[0] in get_environ_proxies(url)  # the rule that botocore applies
        return [] if is_proxied else [url]

    async def attempt(self, notification: Notification, client: "OutboundClient") -> DeliveryResult:
        import asyncio

        from monitor.aws.failure import AWS_ERRORS

        try:
            async with asyncio.timeout(self.timeout):
                params = payload(notification, self)
                response = await client.call_aws("sns", self.region, "publish", **params)
        except TimeoutError:
            return retry_result("timeout", f"SNS: no response within {self.timeout:g} s")
        except AWS_ERRORS as error:
            return _failure_result(error)
        return delivered_result(f"SNS accepted it as message {response['MessageId']}", HTTPStatus.OK)


def payload(notification: Notification, receiver: Sns) -> dict[str, Any]:
    """Return the parameters of Publish."""
    subject = title(notification).encode("ascii", "replace").decode()
    message = build_within(notification, plain_text, lambda text: len(text.encode()), MAX_MESSAGE_BYTES)
    status = "firing" if notification.firing else "resolved"
    attributes = {"severity": notification.severity.value, "status": status}
    params = {
        "TopicArn": receiver.topic_arn,
        "Subject": subject[:MAX_SUBJECT],
        "Message": message,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }
    return params | _fifo_parameters(notification) if receiver.topic_arn.endswith(".fifo") else params


def _fifo_parameters(notification: Notification) -> dict[str, str]:
    """Return the parameters that a FIFO topic requires: digests, as SNS restricts the characters."""
    group = sha256(repr(sorted(notification.group.items())).encode()).hexdigest()
    return {
        "MessageGroupId": group,
        "MessageDeduplicationId": sha256(notification.id.encode()).hexdigest(),
    }


def _failure_result(error: BaseException) -> DeliveryResult:
    """Return the result of an error. Throttling, expired tokens and server errors are retried."""
    from botocore.exceptions import ClientError

    from monitor.aws.failure import error_code, error_message

    code = error_code(error)
    sentence = excerpt(f"SNS: {error_message(error)} ({code})", ())
    if not isinstance(error, ClientError):
        return retry_result("connection", sentence)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    is_retryable = status >= HTTPStatus.INTERNAL_SERVER_ERROR or any(
        part in code for part in RETRYABLE_CODE_PARTS
    )
    return DeliveryResult(
        DeliveryOutcome.RETRY if is_retryable else DeliveryOutcome.REFUSED, sentence, code, status or None
    )
