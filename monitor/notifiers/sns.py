"""Amazon SNS: one message to a topic, standard or FIFO, with the credentials of the environment."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Literal

from botocore.exceptions import ClientError
from botocore.utils import get_environ_proxies
from pydantic import AfterValidator, Field

from monitor.alerting.notice import Notification
from monitor.aws import AWS_ERRORS, code_of, sentence_of
from monitor.config_errors import unexpected
from monitor.config_types import Text
from monitor.notifiers.answer import Answer, Outcome, delivered, excerpt, retry
from monitor.notifiers.receiver import Base
from monitor.notifiers.text import fitting, plain, title
from monitor.outbound import Outbound, Policy

LONGEST_SUBJECT = 99  # characters: SNS says fewer than 100
LARGEST = 250_000  # bytes; SNS takes 262,144 with the attributes
LONGEST_ID = 128
PASSING = ("Throttl", "Expired", "RequestTimeout", "ServiceUnavailable", "InternalError", "InternalFailure")


def _topic(value: str) -> str:
    if not re.fullmatch(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?", value):
        raise unexpected("a topic such as arn:aws:sns:eu-west-1:123456789012:alerts", value)
    return value


class Sns(Base):
    """A topic of SNS."""

    type: Literal["sns"] = "sns"
    topic_arn: Annotated[Text, AfterValidator(_topic)] = Field(description="The topic's ARN.")

    @property
    def region(self) -> str:
        return self.topic_arn.split(":")[3]

    @property
    def policy(self) -> Policy:
        """AWS is reached as all of AWS is, wherever its own client finds it."""
        return replace(super().policy, allow_insecure=True, allow_private=True)

    async def addresses(self, client: Outbound) -> Sequence[str]:
        url = (await client.aws("sns", self.region)).meta.endpoint_url
        by_proxy = url.partition(":")[0] in get_environ_proxies(url)  # as botocore decides it
        return [] if by_proxy else [url]

    async def attempt(self, notification: Notification, client: Outbound) -> Answer:
        try:
            async with asyncio.timeout(self.timeout):
                sns = await client.aws("sns", self.region)
                answered = await sns.publish(**payload(notification, self))
        except TimeoutError:
            return retry("timeout", f"SNS gave no answer within {self.timeout:g} s")
        except AWS_ERRORS as error:
            return _failed(error)
        return delivered(f"SNS took it as message {answered['MessageId']}", HTTPStatus.OK)


def payload(notification: Notification, receiver: Sns) -> dict[str, Any]:
    """The parameters of Publish."""
    subject = title(notification).encode("ascii", "replace").decode()
    message = fitting(notification, plain, lambda text: len(text.encode()), LARGEST)
    status = "firing" if notification.firing else "resolved"
    attributes = {"severity": notification.severity.value, "status": status}
    params = {
        "TopicArn": receiver.topic_arn,
        "Subject": subject[:LONGEST_SUBJECT],
        "Message": message,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }
    return params | _in_order(notification) if receiver.topic_arn.endswith(".fifo") else params


def _in_order(notification: Notification) -> dict[str, str]:
    """What a FIFO topic asks for; ids as digests, since it takes only some characters of them."""
    group = sha256(repr(sorted(notification.group.items())).encode()).hexdigest()
    return {
        "MessageGroupId": group,
        "MessageDeduplicationId": sha256(notification.id.encode()).hexdigest(),
    }


def _failed(error: BaseException) -> Answer:
    """AWS's refusals are final, but for throttling, what expired and its own failures."""
    code = code_of(error)
    sentence = excerpt(f"SNS: {sentence_of(error)} ({code})", ())
    if not isinstance(error, ClientError):
        return retry("connection", sentence)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or any(word in code for word in PASSING)
    return Answer(Outcome.RETRY if passing else Outcome.REFUSED, sentence, code, status or None)
