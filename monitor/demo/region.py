"""A region of the world: what is declared in it, and the vocabulary of the services that answer for it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from moto.core.models import DEFAULT_ACCOUNT_ID

from monitor.demo.metric import Emitted

ACCOUNT = DEFAULT_ACCOUNT_ID  # 123456789012
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Region:
    """One region of the account: its resources, and its quotas that are not the default."""

    name: str
    resources: tuple[Any, ...] = ()
    quotas: Mapping[str, float] = field(default_factory=dict)  # quota code -> applied value
    denied: bool = False
    enabled: tuple[str, ...] = ()  # the names of the account's regions
    start: int = 0  # the minute since 1970 the world started in
    ids: dict[str, str] = field(default_factory=dict)  # resource name -> the id moto gave it

    def all(self, kind: type[Kind]) -> list[Kind]:
        """The resources of that kind, in the order of their declaration."""
        return [resource for resource in self.resources if isinstance(resource, kind)]

    def minute(self, now: float) -> int:
        """The minute of the world at `now`, seconds since 1970."""
        return int(now // 60) - self.start

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.name}:{ACCOUNT}:{rest}"


class AwsError(Exception):
    """An error answer, with AWS's code for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


Params = Mapping[str, Any]
Answer = Callable[[Region, Params, float], Mapping[str, Any]]  # region, parameters, seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How one AWS service shows the declared resources.

    `seed` creates them in moto with a boto3 client; `answers` are the operations that moto lacks or
    cannot answer truly, by their name in botocore's model.
    """

    name: str  # botocore's
    emitted: Callable[[Region], Iterable[Emitted]] = lambda _: ()
    seed: Callable[[Region, Any], None] | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
