"""Finds, reads and parses the configuration file."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from collectors.registry import Registry
from monitor.config.config import Config
from monitor.config.config_paths import chosen_file
from monitor.lib.files import read_file
from monitor.schema.problems import ConfigError, Problem, problem_lines, problems_from_pydantic
from monitor.schema.types import ConfigContext
from rules.strict_yaml import parse

MAX_FILE_SIZE = 1024**2  # bytes of a file


def read_config(path: Path | None, environ: Mapping[str, str], registry: Registry) -> Config:
    """Read the configuration from `path`, else from $HEADROOM_CONFIG, else from ./headroom.yaml.

    A file given by path or variable must exist. Without any file all keys have their defaults. Secrets are
    read immediately, from `environ` and files. The call blocks. Raises ConfigError with all problems.
    """
    if (file := chosen_file(path, environ)) is None:
        return Config()
    return parse_config(_content(file), str(file), ConfigContext(environ, file.parent, registry))


def parse_config(content: bytes, file: str, context: ConfigContext) -> Config:
    """Parse the content of a file; `file` is its name in messages. Raises ConfigError with all problems."""
    try:
        data, yaml_problems = parse(content)
    except ValueError as error:
        raise ConfigError([f"{file}: {error}"]) from None
    problems = [Problem(*problem) for problem in yaml_problems]
    try:
        config = Config.model_validate({} if data is None else data, context=context)
    except ValidationError as error:
        raise ConfigError(problem_lines(file, [*problems, *problems_from_pydantic(error, Config)])) from None
    if problems:
        raise ConfigError(problem_lines(file, problems))
    return config


def _content(file: Path) -> bytes:
    try:
        content = read_file(file, MAX_FILE_SIZE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError([f"{file}: cannot be read: {reason}"]) from None
    if len(content) > MAX_FILE_SIZE:
        raise ConfigError([f"{file}: expected at most 1 MiB, found more"])
    return content
