"""Limits and services that Headroom deliberately does not watch, each with its reason."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rules.model_file import parse_model

NOT_DECLARED_FILE = Path(__file__).parent / "not_declared.yaml"

SignalId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
Reason = Annotated[str, Field(pattern=r"^[A-Z].*\.$")]


class NotDeclared(BaseModel):
    """Limits and services that are not watched.

    signals: the reason for each limit, by the id that a signal of it would have. services: the reason for
    each service, by AWS's name of the service.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    signals: Mapping[SignalId, Reason]
    services: Mapping[str, Reason]


def read_not_declared(path: Path = NOT_DECLARED_FILE) -> NotDeclared:
    """Read the limits and services that are not watched. Raises ValueError with every problem of the file."""
    file = parse_model(path.read_bytes(), str(path), NotDeclared)
    if file.model is None:
        raise ValueError("\n".join(file.problems))
    return file.model
