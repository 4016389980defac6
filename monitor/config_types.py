"""The kinds of value a configuration holds. Each says what it expected and what it found; secrets, never."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import botocore.session
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from collectors import COLLECTORS
from monitor.config_errors import problem, shown, unexpected
from rules.limits import signals

ALL = "all"  # instead of a list of regions: every region that is enabled in the account
LARGEST_SECRET = 64 * 1024  # bytes of a file
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
HIGHEST_PORT = 65535

Names = Callable[[], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where secrets are read: an environment, and the folder that relative file names start from."""

    environ: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()


class Model(BaseModel):
    """A mapping of the file: known keys only, never changed; a key without a value counts as not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


@cache
def known_services() -> tuple[str, ...]:
    """The services that have a collector."""
    return tuple(collector.service for collector in COLLECTORS)


@cache
def known_signals() -> tuple[str, ...]:
    """The catalogue's signals, by name and by `service.name`."""
    return tuple(name for signal in signals() for name in (signal.name, signal.id))


@cache
def known_regions() -> tuple[str, ...]:
    """The regions of every partition that the installed botocore knows."""
    session = botocore.session.get_session()
    partitions = session.get_available_partitions()
    return tuple(name for partition in partitions for name in session.get_available_regions("ec2", partition))


def _text(value: Any) -> Any:
    """A whole number counts as text: account ids and queue names may be all digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _one_of(what: str, names: Names, value: str) -> str:
    return _fitting(what, names, value, fits=value in names())


def _pattern_of(what: str, names: Names, value: str) -> str:
    return _fitting(what, names, value, fits=any(fnmatchcase(name, value) for name in names()))


def _fitting(what: str, names: Names, value: str, fits: bool) -> str:
    if not fits:
        raise unexpected(what, value, names())
    return value


def _all_or_list(value: Any) -> Any:
    if isinstance(value, str) and value != ALL:
        raise unexpected(f"a list of regions or the word {ALL}", value)
    return (value,) if value == ALL else value


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = [value for value, times in Counter(values).items() if times > 1]
    if twice:
        raise problem(f"expected each once, found {shown(twice[0])} again")
    return values


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    given = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd]?)", value) if isinstance(value, str) else None
    if not given:
        raise unexpected("a duration such as 300, 15s, 5m or 1h", value)
    return float(given[1]) * SECONDS.get(given[2], 1)


def address(text: str) -> tuple[str, int]:
    """Host and port of `host:port`, `1.2.3.4:port` or `[ipv6]:port`. Raises ValueError for anything else."""
    given = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9.-]+)):([0-9]{1,5})", text)
    if not given or int(given[3]) > HIGHEST_PORT:
        raise ValueError(text)
    if given[1]:
        IPv6Address(given[1])
    elif re.fullmatch(r"[0-9.]+", given[2]):
        IPv4Address(given[2])
    return given[1] or given[2], int(given[3])


def _address(text: str) -> str:
    try:
        address(text)
    except ValueError:
        raise unexpected("host:port such as 127.0.0.1:4070 or [::1]:4070", text) from None
    return text


def _url(value: Any) -> str:
    """An address may hold a password, so a wrong one is not repeated."""
    try:
        url = urlsplit(value) if isinstance(value, str) else None
        good = (
            url
            and url.scheme in ("http", "https")
            and url.hostname
            and url.port != 0
            and "@" not in url.netloc
        )
    except ValueError:
        good = False
    if not good:
        raise problem("expected a URL such as http://127.0.0.1:4566, without user and password")
    return str(value)


def _role(value: str) -> str:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/([!-~]{1,510}/)?[\w+=,.@-]{1,64}", value, re.A):
        raise unexpected("a role such as arn:aws:iam::123456789012:role/headroom", value)
    return value


def _external_id(value: Any) -> str:
    # Length and characters as in the model of sts:AssumeRole.
    value = _text(value)
    if not (isinstance(value, str) and re.fullmatch(r"[\w+=,.@:/-]{2,1224}", value, re.A)):
        raise problem("expected an external id: 2 to 1224 letters, digits or +=,.@:/-_ (value not shown)")
    return value


def _external_id_env(name: Any, info: ValidationInfo) -> str:
    sources = info.context or Sources()
    value = sources.environ.get(name) if isinstance(name, str) else None
    if not value:
        raise problem("expected the name of an environment variable that is set (value not shown)")
    return _external_id(value)


def _external_id_file(name: Any, info: ValidationInfo) -> str:
    sources = info.context or Sources()
    try:
        file = sources.folder / name
        if not file.is_file():
            raise FileNotFoundError
        with file.open("rb") as stream:
            value = stream.read(LARGEST_SECRET).decode()
    except (OSError, ValueError, TypeError):
        raise problem("expected the name of a readable text file (value not shown)") from None
    return _external_id(value.strip())


Text = Annotated[str, BeforeValidator(_text), Field(min_length=1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Ratio = Annotated[Number, Field(ge=0, le=1)]
Duration = Annotated[float, BeforeValidator(_seconds), WithJsonSchema({"type": ["number", "string"]})]

A_SERVICE = f"one of {', '.join(known_services())}"
Service = Annotated[
    Text,
    AfterValidator(partial(_one_of, A_SERVICE, known_services)),
    WithJsonSchema({"type": "string", "enum": list(known_services())}),
]
Services = Annotated[tuple[Service, ...], AfterValidator(_unique)]
Region = Annotated[Text, AfterValidator(partial(_one_of, "an AWS region", lambda: (*known_regions(), ALL)))]
Regions = Annotated[
    tuple[Region, ...],
    BeforeValidator(_all_or_list),
    AfterValidator(_unique),
    WithJsonSchema({"anyOf": [{"const": ALL}, {"type": "array", "items": {"type": "string"}}]}),
]

ServicePattern = Annotated[Text, AfterValidator(partial(_pattern_of, A_SERVICE, known_services))]
SignalPattern = Annotated[
    Text, AfterValidator(partial(_pattern_of, "a signal of the catalogue", known_signals))
]
RegionPattern = Annotated[Text, AfterValidator(partial(_pattern_of, "an AWS region", known_regions))]

Tags = Annotated[tuple[Text, ...], AfterValidator(_unique)]
Listen = Annotated[Text, AfterValidator(_address)]
Url = Annotated[str, BeforeValidator(_url)]
Role = Annotated[Text, AfterValidator(_role)]
ExternalId = Annotated[SecretStr, BeforeValidator(_external_id)]
ExternalIdEnv = Annotated[SecretStr, BeforeValidator(_external_id_env), WithJsonSchema({"type": "string"})]
ExternalIdFile = Annotated[SecretStr, BeforeValidator(_external_id_file), WithJsonSchema({"type": "string"})]
