"""The quotas of which the usage is a count, as `counts.yaml` declares them."""

from collections.abc import Iterator, Mapping, Set
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, RootModel, model_validator

from collectors.declaration import CHECKED, DeclarationModel, JmesPath, Operation, Text
from collectors.iam_actions import iam_action
from collectors.kept_documents import KeptDocuments
from monitor.lib.garbage import no_garbage_collection
from rules.model_file import misplaced, parse_model
from rules.signals import QUOTA_CODE, Quota

COUNTS_FILE = Path(__file__).with_name("counts.yaml")
HOME_REGION = "home"  # of the partition


class CountOf(StrEnum):
    """The lists whose items are counted together."""

    ALL = "all"  # of all parents, added
    PER_PARENT = "per_parent"  # of one parent, the longest
    PER_ITEM = "per_item"  # within each item, the longest


class CountCall(DeclarationModel):
    """A list: the items in the responses to a call, made for each item of its parent if it has one.

    params: with `{parent}` and `{grandparent}` for the ids of the parents' items, and `{account_id}`.
    id: the path of an item's id.
    """

    call: Operation
    items: JmesPath
    params: Mapping[str, Any] = {}
    id: JmesPath | None = None
    parent: "CountCall | None" = None

    @property
    def calls(self) -> Iterator[Operation]:
        """The operations that are called, that of the list first and those of its parents after it."""
        yield self.call
        if self.parent:
            yield from self.parent.calls


class CountDeclaration(CountCall):
    """A quota that is used by each item of a list.

    code, name: as in Service Quotas. lists: the path of the list within an item that is counted. region: the
    only one where it is counted; HOME_REGION for that of the partition. empty: the code of the error by which
    AWS says that there are no items. unverified: nothing but the names says that the operation lists what the
    quota limits.
    """

    code: Annotated[str, Field(pattern=QUOTA_CODE)]
    name: Text
    count: CountOf = CountOf.ALL
    lists: JmesPath | None = None
    region: Text | None = None
    empty: Text | None = None
    unverified: bool = False

    @model_validator(mode="after")
    def _fits_what_is_counted(self) -> "CountDeclaration":
        if (self.count is CountOf.PER_ITEM) != (self.lists is not None and self.id is not None):
            raise misplaced(("count",), "expected lists and id with per_item, and with nothing else")
        if self.count is CountOf.PER_PARENT and not self.parent:
            raise misplaced(("count",), "expected a parent with per_parent")
        return self


class CountFile(RootModel[Mapping[str, tuple[CountDeclaration, ...]]]):
    """The whole file: by the service code of Service Quotas."""


@cache
def read_counts() -> Mapping[Quota, CountDeclaration]:
    """Return the counts of `counts.yaml`, by quota. Raises ValueError with its problems."""
    files = KeptDocuments("quotas", COUNTS_FILE.parent)
    with no_garbage_collection():
        if files.known is None:
            counts = _checked_counts(files)
        else:
            counts = CountFile.model_validate(files.known[COUNTS_FILE.stem], context=CHECKED)
        return {Quota(service=code, code=one.code): one for code, some in counts.root.items() for one in some}


def _checked_counts(files: KeptDocuments) -> CountFile:
    """Return the counts, and keep them. Raises ValueError with their problems."""
    file = parse_model(COUNTS_FILE.read_bytes(), COUNTS_FILE.name, CountFile)
    if file.model is None:
        raise ValueError("; ".join(file.problems))
    files.keep(files.parsed())
    return file.model


def actions_of_counts(service_codes: Set[str]) -> Set[str]:
    """Return the IAM actions that the counts of some service codes need. The first call takes long."""
    counts = (one for quota, one in read_counts().items() if quota.service in service_codes)
    return {iam_action(*call) for one in counts for call in one.calls}
