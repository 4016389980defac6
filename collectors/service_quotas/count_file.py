"""The quotas whose usage is counted with calls to AWS, as `counts.yaml` declares them."""

from collections.abc import Iterator, Mapping, Set
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, RootModel, model_validator

from collectors.cached_documents import CachedDocuments
from collectors.declaration import CHECKED, DeclarationModel, JmesPath, Operation
from collectors.iam_actions import iam_action
from monitor.lib.garbage import no_garbage_collection
from rules.field_types import NonEmptyText
from rules.model_file import error_at, parse_model
from rules.signals import QUOTA_CODE, Quota

COUNTS_FILE = Path(__file__).with_name("counts.yaml")
HOME_REGION = "home"  # stands for the home region of the partition


class CountOf(StrEnum):
    """Says which items a count counts."""

    ALL = "all"  # the items of all parents
    PER_PARENT = "per_parent"  # the items of one parent: the parent that has most of them
    PER_ITEM = "per_item"  # the entries of a list within one item: the item that has most of them


class CountCall(DeclarationModel):
    """A call that lists items.

    items: the path of the items in a response. params: may contain the placeholder `{account_id}`, and
    `{parent}` and `{grandparent}` for the ids of items of the parents. id: the path of an item's id within
    the item. parent: another call; `call` is made once for each item that the parent lists.
    """

    call: Operation
    items: JmesPath
    params: Mapping[str, Any] = {}
    id: JmesPath | None = None
    parent: "CountCall | None" = None

    @property
    def operation(self) -> str:
        """The name of the operation, without its service."""
        return self.call[1]

    @property
    def calls(self) -> Iterator[Operation]:
        """The operation of this call, then the operations of its parents."""
        yield self.call
        if self.parent:
            yield from self.parent.calls


class CountDeclaration(CountCall):
    """A quota whose usage is the number of items in a list.

    code, name: as in Service Quotas. list_in_item: used with PER_ITEM; the path within an item to the list
    whose entries are counted. region: the only region where the quota is counted; HOME_REGION for the
    partition's home region. empty_error_code: the error code by which AWS says that there are no items.
    unverified: true if only the names of the quota and the operation suggest that the quota limits the listed
    items.
    """

    code: Annotated[str, Field(pattern=QUOTA_CODE)]
    name: NonEmptyText
    count: CountOf = CountOf.ALL
    list_in_item: JmesPath | None = None
    region: NonEmptyText | None = None
    empty_error_code: NonEmptyText | None = None
    unverified: bool = False

    @model_validator(mode="after")
    def _has_the_keys_of_its_count(self) -> "CountDeclaration":
        if (self.count is CountOf.PER_ITEM) != (self.list_in_item is not None and self.id is not None):
            raise error_at(("count",), "expected list_in_item and id with per_item, and with nothing else")
        if self.count is CountOf.PER_PARENT and not self.parent:
            raise error_at(("count",), "expected a parent with per_parent")
        return self


class CountFile(RootModel[Mapping[str, tuple[CountDeclaration, ...]]]):
    """The whole file: the declarations by service code of Service Quotas."""


@cache
def read_counts() -> Mapping[Quota, CountDeclaration]:
    """Return the counts of `counts.yaml`, by quota. Raises ValueError with the file's problems."""
    files = CachedDocuments("quotas", COUNTS_FILE.parent)
    with no_garbage_collection():
        if files.cached is None:
            counts = _checked_counts(files)
        else:
            counts = CountFile.model_validate(files.cached[COUNTS_FILE.stem], context=CHECKED)
        return {
            Quota(service=service, code=declaration.code): declaration
            for service, declarations in counts.root.items()
            for declaration in declarations
        }


def _checked_counts(files: CachedDocuments) -> CountFile:
    """Return the counts, and store the parsed file. Raises ValueError with its problems."""
    file = parse_model(COUNTS_FILE.read_bytes(), COUNTS_FILE.name, CountFile)
    if file.model is None:
        raise ValueError("; ".join(file.problems))
    files.store(files.parse())
    return file.model


def actions_of_counts(service_codes: Set[str]) -> Set[str]:
    """Return the IAM actions that the counts of some service codes need. The first call reads the file."""
    counts = (declaration for quota, declaration in read_counts().items() if quota.service in service_codes)
    return {iam_action(*call) for declaration in counts for call in declaration.calls}
