"""The settings of the stream: `stream` in the configuration file."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, WithJsonSchema

from monitor.lib.files import read_file
from monitor.lib.partitions import arn_pattern
from monitor.schema.problems import problem, shown_value
from monitor.schema.types import MAX_SECRET_BYTES, ConfigContext, ConfigModel, Duration, Text
from monitor.stream.firehose_access import FirehoseAccess

ACCESS_KEYS_VARIABLE = "HEADROOM_STREAM_ACCESS_KEYS"
MAX_KEY_LENGTH = 4096  # characters; the maximum of Firehose
ACCOUNT_PATTERN = re.compile("[0-9]{12}")
DELIVERY_STREAM_PATTERN = r"firehose:[a-z0-9-]+:[0-9]{12}:deliverystream/[\w.-]{1,64}"


def access_keys_from(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the access keys of the environment variable, in which commas separate them."""
    return tuple(filter(None, map(str.strip, environ.get(ACCESS_KEYS_VARIABLE, "").split(","))))


def _read_keys(file: Any, info: ValidationInfo) -> tuple[SecretStr, ...]:
    """Read access keys from a file with a key in each line. No error message shows a key."""
    context = info.context or ConfigContext()
    try:
        lines = str(read_file(context.folder / file, MAX_SECRET_BYTES), "utf-8").split()
    except (OSError, ValueError, TypeError):
        lines = []
    if not lines or max(map(len, lines)) > MAX_KEY_LENGTH:
        raise problem("expected the name of a readable text file with an access key a line (value not shown)")
    return tuple(map(SecretStr, lines))


def _check_source(value: str) -> str:
    if not (ACCOUNT_PATTERN.fullmatch(value) or arn_pattern(DELIVERY_STREAM_PATTERN).fullmatch(value)):
        raise problem(
            f"expected an account's 12 digits or the ARN of a delivery stream, found {shown_value(value)}"
        )
    return value


AccessKeys = Annotated[tuple[SecretStr, ...], BeforeValidator(_read_keys), WithJsonSchema({"type": "string"})]
DeliverySource = Annotated[Text, AfterValidator(_check_source)]


class StreamConfig(ConfigModel):
    """CloudWatch Metric Streams that Firehose delivers; every delivery needs an access key."""

    access_keys_file: AccessKeys = Field(
        default=(),
        description="File with the access keys that Firehose may use, one a line; "
        f"{ACCESS_KEYS_VARIABLE} can hold further keys, separated by commas. Without any key, all "
        "deliveries are rejected.",
    )
    sources: tuple[DeliverySource, ...] = Field(
        default=(),
        description="Accounts, or ARNs of delivery streams, to accept. Default: all that send an access key.",
    )
    poll_after: Duration = Field(
        default=300,
        ge=60,
        le=3600,
        description="Time without points after which a metric is polled again; 1 m to 1 h.",
    )

    @property
    def gap_minutes(self) -> int:
        """`poll_after` in whole minutes: a streamed metric with a longer gap is polled again."""
        return int(self.poll_after // 60)

    def access(self, environ: Mapping[str, str]) -> FirehoseAccess:
        """Return the accepted sources and access keys, including the keys of the environment."""
        keys = (key.get_secret_value() for key in self.access_keys_file)
        return FirehoseAccess((*keys, *access_keys_from(environ)), self.sources)


EXAMPLE = {"access_keys_file": "firehose-keys", "sources": ["123456789012"], "poll_after": "5m"}
