"""Types of configuration values. Errors name the expected value, and the found value if it is no secret."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue

from collectors.base import GLOBAL_REGION
from collectors.registry import Registry
from monitor.lib.botocore_files import regions_with
from monitor.lib.partitions import arn_pattern
from monitor.schema.problems import problem, shown_value, unexpected

ALL_REGIONS = "all"  # instead of a list: every region that is enabled in the account
MAX_SECRET_BYTES = 64 * 1024  # the largest file with a secret
SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_PORT = 65535
CLOUDWATCH = "monitoring"  # the name of CloudWatch's endpoint in botocore


@dataclass(frozen=True, slots=True)
class ConfigContext:
    """The context of pydantic's validators of a configuration.

    environ: the variables that secrets are read from. folder: relative file names start from it.
    registry: the services and signals that may be named; None for any.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    registry: Registry | None = None


def registry_of(info: ValidationInfo) -> Registry | None:
    """Return the registry that a configuration is validated against; None without one."""
    context = info.context
    return context.registry if isinstance(context, ConfigContext) else None


def folder_of(info: ValidationInfo) -> Path:
    """Return the folder of the relative file names in a configuration."""
    context = info.context
    return context.folder if isinstance(context, ConfigContext) else Path()


class ConfigModel(BaseModel):
    """Base of all models of the configuration file: immutable; an unknown key is an error.

    A key without a value counts as not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


@cache
def known_regions() -> tuple[str, ...]:
    """Return the regions with CloudWatch, of every partition that the installed botocore knows."""
    return tuple(regions_with(CLOUDWATCH))


def _to_text(value: Any) -> Any:
    """Convert an integer to text: account ids and queue names may consist of digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_one_of(expected: str, names: tuple[str, ...], value: str) -> str:
    if value not in names:
        raise unexpected(expected, value, names)
    return value


def _check_pattern(expected: str, names: tuple[str, ...], value: str) -> str:
    """Return a pattern unchanged. Raises PydanticCustomError if it matches none of the names."""
    if not any(fnmatchcase(name, value) for name in names):
        raise unexpected(expected, value, names)
    return value


def _check_service(value: str, info: ValidationInfo) -> str:
    registry = registry_of(info)
    if registry is None:
        return value
    return _check_one_of(_expected_services_text(registry), registry.service_names, value)


def _check_service_pattern(value: str, info: ValidationInfo) -> str:
    registry = registry_of(info)
    if registry is None:
        return value
    return _check_pattern(_expected_services_text(registry), registry.service_names, value)


def _expected_services_text(registry: Registry) -> str:
    return f"one of {', '.join(registry.service_names)}"


def _check_signal_pattern(value: str, info: ValidationInfo) -> str:
    registry = registry_of(info)
    return _check_pattern("a signal of the catalogue", registry.signal_names, value) if registry else value


def _check_region(value: str) -> str:
    return _check_one_of("an AWS region", (*known_regions(), ALL_REGIONS), value)


def _check_region_pattern(value: str) -> str:
    return _check_pattern(f"an AWS region or {GLOBAL_REGION}", (*known_regions(), GLOBAL_REGION), value)


def _to_list(value: Any) -> Any:
    """Return the regions as a list: one with ALL_REGIONS for this word, any other list unchanged."""
    if isinstance(value, str) and value != ALL_REGIONS:
        raise unexpected(f"a list of regions or the word {ALL_REGIONS}", value)
    return (value,) if value == ALL_REGIONS else value


def _check_file_name(value: str) -> str:
    if "\0" in value:
        raise unexpected("the name of a file", value)
    return value


def check_unique(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the texts unchanged. Raises PydanticCustomError if a text occurs twice."""
    duplicates = [value for value, count in Counter(values).items() if count > 1]
    if duplicates:
        raise problem(f"expected each once, found {shown_value(duplicates[0])} again")
    return values


def _to_seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _to_finite(value)
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd]?)", value) if isinstance(value, str) else None
    if not match:
        raise unexpected("a duration such as 300, 15s, 5m or 1h", value)
    return float(match[1]) * SECONDS_PER_UNIT.get(match[2], 1)


def _to_finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond the range of floats
        number = math.inf
    if not math.isfinite(number):
        raise problem("expected a finite number of seconds")
    return number


def parse_address(text: str) -> tuple[str, int]:
    """Parse `host:port`, `1.2.3.4:port` or `[ipv6]:port`. Raises ValueError."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9.-]+)):([0-9]{1,5})", text)
    if not match or int(match[3]) > MAX_PORT:
        raise ValueError(text)
    ipv6, name_or_ipv4 = match[1], match[2]
    if ipv6:
        IPv6Address(ipv6)
    elif re.fullmatch(r"[0-9.]+", name_or_ipv4):
        IPv4Address(name_or_ipv4)
    return ipv6 or name_or_ipv4, int(match[3])


def _check_address(text: str) -> str:
    try:
        parse_address(text)
    except ValueError:
        raise unexpected("host:port such as 127.0.0.1:4070 or [::1]:4070", text) from None
    return text


def is_http_url(text: str) -> bool:
    """Return whether text is a URL of http or https with a host and, if any, a valid port."""
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False


def _check_url(value: Any) -> str:
    """Validate a URL. The error does not show it, as it may contain a password."""
    if not (isinstance(value, str) and is_http_url(value) and "@" not in urlsplit(value).netloc):
        raise problem("expected a URL such as http://127.0.0.1:4566, without user and password")
    return value


def _check_role(value: str) -> str:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    if not arn_pattern(r"iam::[0-9]{12}:role/([!-~]{1,510}/)?[\w+=,.@-]{1,64}").fullmatch(value):
        raise unexpected("a role such as arn:aws:iam::123456789012:role/headroom", value)
    return value


Text = Annotated[str, BeforeValidator(_to_text), Field(min_length=1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Ratio = Annotated[Number, Field(ge=0, le=1)]
Duration = Annotated[float, BeforeValidator(_to_seconds), WithJsonSchema({"type": ["number", "string"]})]

SERVICE_SCHEMA: JsonSchemaValue = {"type": "string", "format": "service"}  # see `config.example`
ServiceName = Annotated[Text, AfterValidator(_check_service), WithJsonSchema(SERVICE_SCHEMA)]
Services = Annotated[tuple[ServiceName, ...], AfterValidator(check_unique)]
Region = Annotated[Text, AfterValidator(_check_region)]
Regions = Annotated[
    tuple[Region, ...],
    BeforeValidator(_to_list),
    AfterValidator(check_unique),
    WithJsonSchema({"anyOf": [{"const": ALL_REGIONS}, {"type": "array", "items": {"type": "string"}}]}),
]

ServicePattern = Annotated[Text, AfterValidator(_check_service_pattern)]
SignalPattern = Annotated[Text, AfterValidator(_check_signal_pattern)]
RegionPattern = Annotated[Text, AfterValidator(_check_region_pattern)]

TagKeys = Annotated[tuple[Text, ...], AfterValidator(check_unique)]
FileName = Annotated[Text, AfterValidator(_check_file_name)]
Listen = Annotated[Text, AfterValidator(_check_address)]
Url = Annotated[str, BeforeValidator(_check_url)]
RoleArn = Annotated[Text, AfterValidator(_check_role)]
