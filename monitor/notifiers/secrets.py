"""Secrets of a receiver: in the open, in an environment variable or in a file; never shown again."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo, WithJsonSchema

from monitor.config_errors import problem
from monitor.config_types import LARGEST_SECRET, Model, Sources

LEAST_SEGMENT = 8  # characters; a shorter part of a URL's path is a word of its API, not a secret


def _url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        url = urlsplit(text)
        good = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        good = False
    if not good or " " in text:
        raise problem("expected a URL such as https://example.com/hook (value not shown)")
    return value


def _one_line(value: Any) -> Any:
    """Pydantic would show what is not text; a password may be all digits."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    text = str(text) if isinstance(text, int) and not isinstance(text, bool) else text
    if not (isinstance(text, str) and text and text.isprintable()):
        raise problem("expected one line of printable text (value not shown)")
    return text


Secret = Annotated[SecretStr, BeforeValidator(_one_line)]
SecretUrl = Annotated[Secret, AfterValidator(_url)]


def from_environment(name: Any, sources: Sources) -> str:
    """The value of a variable. Raises a problem that does not show it."""
    value = sources.environ.get(name) if isinstance(name, str) else None
    if not value:
        raise problem("expected the name of an environment variable that is set (value not shown)")
    return value


def from_file(name: Any, sources: Sources) -> str:
    """The content of a file without the white space around it. Raises a problem that does not show it."""
    try:
        file = sources.folder / name
        if not file.is_file():
            raise FileNotFoundError
        with file.open("rb") as stream:
            value = str(stream.read(LARGEST_SECRET), "utf-8").strip()
    except (OSError, ValueError, TypeError):
        value = ""
    if not value:
        raise problem("expected the name of a readable text file (value not shown)")
    return value


PLACES: Final[Mapping[str, Callable[[Any, Sources], str]]] = {"_env": from_environment, "_file": from_file}


def _elsewhere(read: Callable[[Any, Sources], str], name: Any, info: ValidationInfo) -> str:
    return read(name, info.context or Sources())


Elsewhere = WithJsonSchema({"type": "string"})
SecretEnv = Annotated[Secret, BeforeValidator(partial(_elsewhere, from_environment)), Elsewhere]
SecretFile = Annotated[Secret, BeforeValidator(partial(_elsewhere, from_file)), Elsewhere]


def given(model: Model, name: str) -> SecretStr | None:
    """A secret, wherever it was given. Raises a problem when it was given more than once."""
    keys = [key for key in (name, *(name + suffix for suffix in PLACES)) if getattr(model, key)]
    if len(keys) > 1:
        raise problem(f"expected one {name}, found {' and '.join(keys)}")
    secret: SecretStr | None = getattr(model, keys[0]) if keys else None
    return secret


def secrets_in(value: object) -> Iterator[str]:
    """The secrets that a field's value holds."""
    if isinstance(value, tuple):
        for one in value:
            yield from secrets_in(one)
    elif isinstance(value, SecretStr):
        yield value.get_secret_value()


def hidden_in(value: object) -> Iterator[str]:
    """The texts that must not be shown of a field's value: secrets, their words, and parts of secret URLs."""
    for secret in secrets_in(value):
        yield from (secret, *secret.split())
        yield from _parts(secret)


def _parts(text: str) -> Iterator[str]:
    if "://" not in text:
        return
    url = urlsplit(text)
    yield from filter(None, (url.username, url.password, url.query))
    yield from (value for _, value in parse_qsl(url.query))
    for segment in url.path.split("/"):
        if len(segment) >= LEAST_SEGMENT:
            yield from (segment, unquote(segment))
