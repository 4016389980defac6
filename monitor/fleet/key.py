"""The identity of a series and its labels."""

from hashlib import blake2b
from typing import NamedTuple, Self

from collectors.base import Resource

CellKey = tuple[str, str]  # account, region
CellService = tuple[CellKey, str]  # a cell and a service
ServiceKey = tuple[str, str, str]  # account, region, service
Group = tuple[str, str, str, str]  # account, region, service, signal

LABELS = ("account", "region", "service", "signal", "resource")  # the labels of every series, in this order
ALL_LABELS = (*LABELS, "resource_id")  # a series has `resource_id` only if its resource's name is not its id
WHOLE_ACCOUNT = "whole account"  # shown instead of a resource's name for limits of an account; never a label


class _Identity(NamedTuple):
    account: str
    region: str
    service: str
    signal: str
    subject: Resource


class Key(_Identity):
    """The identity of a series: the signal and the resource.

    subject: the resource; its name is no part of the identity. resource: only the name of the resource, as in
    the exported label `resource`. The argument `resource` of the constructor is the whole resource, or the id
    of a resource without a parent.
    """

    __slots__ = ()

    def __new__(cls, account: str, region: str, service: str, signal: str, resource: Resource | str) -> Self:
        subject = Resource("", (resource,)) if isinstance(resource, str) else resource
        return super().__new__(cls, account, region, service, signal, subject)

    @property
    def resource(self) -> str:
        """The name of the resource; empty for the whole account."""
        return self.subject.display_name

    @property
    def display_name(self) -> str:
        """The name of the resource on pages and in tables."""
        return self.resource or WHOLE_ACCOUNT

    @property
    def is_of_account(self) -> bool:
        """True if the series is of a whole account in a region."""
        return not self.subject.path

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the series, in the order of `LABELS`.

        `resource_id` follows if the name of the resource differs from its id.
        """
        return dict(zip(LABELS, (*self[:4], ""), strict=True)) | self.subject.labels

    @property
    def cell(self) -> CellKey:
        """The account and region of the series."""
        return self.account, self.region

    @property
    def id(self) -> str:
        """A short id that is the same after a restart, for URLs."""
        escaped_path = (part.replace("\\", r"\\").replace("\0", r"\0") for part in self.subject.path)
        identity = "\0".join((*self[:4], *escaped_path)).encode("utf-8", "surrogatepass")
        return blake2b(identity, digest_size=8).hexdigest()
