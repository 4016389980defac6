"""The configuration of the stream: `stream` in the file."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, WithJsonSchema

from monitor.config_errors import problem, shown
from monitor.config_types import LARGEST_SECRET, Duration, Model, Sources, Text
from monitor.stream.firehose import Allowed

VARIABLE = "HEADROOM_STREAM_ACCESS_KEYS"
LONGEST_KEY = 4096  # characters, the most that Firehose sends
SOURCE = re.compile(
    r"[0-9]{12}|arn:aws[a-z-]*:firehose:[a-z0-9-]+:[0-9]{12}:deliverystream/[\w.-]{1,64}", re.A
)


def _keys(file: Any, info: ValidationInfo) -> tuple[SecretStr, ...]:
    """The access keys in a file, one a line. Never shows them."""
    sources = info.context or Sources()
    try:
        with (sources.folder / file).open("rb") as stream:
            lines = str(stream.read(LARGEST_SECRET), "utf-8").split()
    except (OSError, ValueError, TypeError):
        lines = []
    if not lines or max(map(len, lines)) > LONGEST_KEY:
        raise problem("expected the name of a readable text file with an access key a line (value not shown)")
    return tuple(map(SecretStr, lines))


def _source(value: str) -> str:
    if not SOURCE.fullmatch(value):
        raise problem(
            f"expected an account's 12 digits or the ARN of a delivery stream, found {shown(value)}"
        )
    return value


Keys = Annotated[tuple[SecretStr, ...], BeforeValidator(_keys), WithJsonSchema({"type": "string"})]
Source = Annotated[Text, AfterValidator(_source)]


class StreamConfig(Model):
    """CloudWatch Metric Streams that Firehose delivers; the endpoint is open only to those with a key."""

    access_keys_file: Keys = Field(
        default=(),
        description=f"File with the access keys that Firehose may use, one a line; {VARIABLE} holds "
        "further ones, separated by commas. Without any key nothing is let in.",
    )
    sources: tuple[Source, ...] = Field(
        default=(),
        description="Accounts, or ARNs of delivery streams, to accept. Default: whoever has a key.",
    )
    fresh: Duration = Field(
        default=300,
        ge=60,
        le=3600,
        description="How long a metric may be silent in the stream before it is polled again; 1 m to 1 h.",
    )

    @property
    def lull(self) -> int:
        """`fresh` in whole minutes."""
        return int(self.fresh // 60)

    def allowed(self, environ: Mapping[str, str]) -> Allowed:
        """Who may deliver, by the file and the environment."""
        keys = (key.get_secret_value() for key in self.access_keys_file)
        further = (key.strip() for key in environ.get(VARIABLE, "").split(","))
        return Allowed(tuple(filter(None, (*keys, *further))), self.sources)


EXAMPLE = {"access_keys_file": "firehose-keys", "sources": ["123456789012"], "fresh": "5m"}
