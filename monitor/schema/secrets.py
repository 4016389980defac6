"""Secrets of the configuration, given as text, environment variables or files; no secret is ever shown."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo, WithJsonSchema

from monitor.lib.files import read_file
from monitor.schema.problems import problem
from monitor.schema.types import MAX_SECRET_BYTES, ConfigContext, ConfigModel, is_http_url

MIN_SECRET_SEGMENT = 8  # characters; a shorter segment of a URL's path is taken for a word, not for a secret


def _check_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not is_http_url(text) or " " in text:
        raise problem("expected a URL such as https://example.com/hook (value not shown)")
    return value


def _one_line(value: Any) -> Any:
    """Return a line of text; an integer becomes text, as a password may consist of digits.

    Raises PydanticCustomError, which does not show the value.
    """
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    text = str(text) if isinstance(text, int) and not isinstance(text, bool) else text
    if not (isinstance(text, str) and text and text.isprintable()):
        raise problem("expected one line of printable text (value not shown)")
    return text


def _check_external_id(value: Any) -> str:
    # Length and characters as in the model of sts:AssumeRole.
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not (isinstance(text, str) and re.fullmatch(r"[\w+=,.@:/-]{2,1224}", text, re.A)):
        raise problem("expected an external id: 2 to 1224 letters, digits or +=,.@:/-_ (value not shown)")
    return text


Secret = Annotated[SecretStr, BeforeValidator(_one_line)]
SecretUrl = Annotated[Secret, AfterValidator(_check_url)]


def from_environment(name: Any, context: ConfigContext) -> str:
    """Return the value of an environment variable. Raises PydanticCustomError if it is not set."""
    value = context.environ.get(name) if isinstance(name, str) else None
    if not value:
        raise problem("expected the name of an environment variable that is set (value not shown)")
    return value


def from_file(name: Any, context: ConfigContext) -> str:
    """Return the content of a file, stripped. Raises PydanticCustomError if there is no readable text."""
    try:
        value = str(read_file(context.folder / name, MAX_SECRET_BYTES), "utf-8").strip()
    except (OSError, ValueError, TypeError):
        value = ""
    if not value:
        raise problem("expected the name of a readable text file (value not shown)")
    return value


READER_BY_SUFFIX: Final[Mapping[str, Callable[[Any, ConfigContext], str]]] = {
    "_env": from_environment,
    "_file": from_file,
}


def _read_secret(read: Callable[[Any, ConfigContext], str], name: Any, info: ValidationInfo) -> str:
    return read(name, info.context or ConfigContext())


NAME_SCHEMA = WithJsonSchema({"type": "string"})
READ_ENVIRONMENT = BeforeValidator(partial(_read_secret, from_environment))
READ_FILE = BeforeValidator(partial(_read_secret, from_file))
SecretEnv = Annotated[Secret, READ_ENVIRONMENT, NAME_SCHEMA]
SecretFile = Annotated[Secret, READ_FILE, NAME_SCHEMA]
ExternalId = Annotated[SecretStr, BeforeValidator(_check_external_id)]
ExternalIdEnv = Annotated[ExternalId, READ_ENVIRONMENT, NAME_SCHEMA]
ExternalIdFile = Annotated[ExternalId, READ_FILE, NAME_SCHEMA]


def given_secret(model: ConfigModel, name: str) -> SecretStr | None:
    """Return the secret in a model's key `name`, `name`_env or `name`_file; None if no such key is set.

    Raises PydanticCustomError if several of these keys are set.
    """
    keys = [key for key in (name, *(name + suffix for suffix in READER_BY_SUFFIX)) if getattr(model, key)]
    if len(keys) > 1:
        raise problem(f"expected one {name}, found {' and '.join(keys)}")
    secret: SecretStr | None = getattr(model, keys[0]) if keys else None
    return secret


def check_authorization(urls: Iterable[SecretStr], *credentials: SecretStr | None) -> None:
    """Raise PydanticCustomError if a URL contains a user and other credentials are set as well."""
    has_user = any("@" in urlsplit(url.get_secret_value()).netloc for url in urls)
    if has_user and any(credentials):
        raise problem("expected user and password in the URL, or an authorization, not both (not shown)")


def secret_values(value: object) -> Iterator[str]:
    """Yield the secrets in a field's value."""
    if isinstance(value, tuple):
        for item in value:
            yield from secret_values(item)
    elif isinstance(value, SecretStr):
        yield value.get_secret_value()


def hidden_texts(value: object) -> Iterator[str]:
    """Yield the texts that must not be shown: a field's secrets, their words, and parts of secret URLs."""
    for secret in secret_values(value):
        yield from (secret, *secret.split())
        yield from _parts(secret)


def _parts(text: str) -> Iterator[str]:
    """Yield the parts of a URL that may be secret; nothing if the text is no URL."""
    if "://" not in text:
        return
    url = urlsplit(text)
    yield from filter(None, (url.username, url.password, url.query))
    yield from (value for _, value in parse_qsl(url.query))
    for segment in url.path.split("/"):
        if len(segment) >= MIN_SECRET_SEGMENT:
            yield from (segment, unquote(segment))
