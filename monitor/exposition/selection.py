"""The parameters of a scrape, which select a part of the fleet."""

from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from monitor.fleet.snapshot import Snapshot
from rules.arrays import Indices
from rules.signals import OWN_SERVICE

MAX_VALUES = 1000  # values of one parameter
SelectedValues = tuple[Annotated[str, Field(min_length=1, max_length=256)], ...]


class Selection(BaseModel):
    """The parameters of a scrape. Each may be repeated, and selects the series that have one of its values.

    A scrape without parameters has all series and Headroom's own families. A scrape with parameters has
    Headroom's own families only if the service `headroom` is selected, so that several scrapes together have
    each sample once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    account: SelectedValues = Field(
        default=(), max_length=MAX_VALUES, description="The ids of the selected accounts."
    )
    region: SelectedValues = Field(
        default=(), max_length=MAX_VALUES, description="The selected regions, such as eu-west-1 or `global`."
    )
    service: SelectedValues = Field(
        default=(), max_length=MAX_VALUES, description=f"Services; `{OWN_SERVICE}` is Headroom itself."
    )

    @property
    def is_whole(self) -> bool:
        """True if everything is selected."""
        return not (self.account or self.region or self.service)

    @property
    def has_own_families(self) -> bool:
        """True if Headroom's own families are selected."""
        return OWN_SERVICE in self.service or self.is_whole

    def normalized(self) -> Self:
        """Return the same selection with sorted values and no duplicates."""
        return self.model_copy(
            update={name: tuple(sorted({*getattr(self, name)})) for name in type(self).model_fields}
        )

    def slots(self, snapshot: Snapshot) -> Indices:
        """Return the slots of the series of a snapshot that are selected."""
        selected_values = [frozenset(values) for values in (self.account, self.region, self.service)]
        groups_match = [
            all(label in values for label, values in zip(group, selected_values, strict=False) if values)
            for group in snapshot.groups
        ]
        # The group of a slot without a series is -1, which selects the last flag.
        is_selected = np.array([*groups_match, False], np.bool_)
        return np.flatnonzero(is_selected[snapshot.group])
