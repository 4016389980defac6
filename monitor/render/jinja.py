"""The Jinja environment for HTML templates."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def html_environment(folder: Path) -> Environment:
    """Return an environment for a folder's templates. Values are escaped; an undefined name is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
