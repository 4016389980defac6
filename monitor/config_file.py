"""The configuration's file: where it is, and everything that is wrong with it said at once."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from monitor.config import Config
from monitor.config_errors import ConfigError, lines, problems_in
from monitor.config_types import Sources
from monitor.strict_yaml import parse

DEFAULT_FILE = Path("headroom.yaml")
VARIABLE = "HEADROOM_CONFIG"
LARGEST = 1024**2  # bytes of a file


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration in `path`, else in the file that HEADROOM_CONFIG names, else in ./headroom.yaml.

    A file that is named must exist; without any, everything has its default.
    Secrets are read now, from `environ` and files. Raises ConfigError with everything that is wrong.
    Blocks while it reads.
    """
    file = path or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    if file is None and not DEFAULT_FILE.exists():
        return Config()
    file = file or DEFAULT_FILE
    return parsed(_content(file), str(file), Sources(environ, file.parent))


def parsed(content: bytes, file: str, sources: Sources) -> Config:
    """The configuration in the `content` of `file`. Raises ConfigError."""
    try:
        data, problems = parse(content)
    except ValueError as error:
        raise ConfigError([f"{file}: {error}"]) from None
    try:
        config = Config.model_validate({} if data is None else data, context=sources)
    except ValidationError as error:
        raise ConfigError(lines(file, [*problems, *problems_in(error, Config)])) from None
    if problems:
        raise ConfigError(lines(file, problems))
    return config


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError([f"{file}: cannot be read: {reason}"]) from None
    if len(content) > LARGEST:
        raise ConfigError([f"{file}: expected at most 1 MiB, found more"])
    return content
