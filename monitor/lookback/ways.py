"""Ways to judge: the bands and durations that are in force, and others to compare them with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.fleet.fleet import Fleet

# The columns of a fleet that a way of judging sets.
COLUMNS = ("low", "high", "near", "pending_for", "throttled_pending_for")


@dataclass(frozen=True, slots=True)
class Way:
    """The bands and durations of all series of a fleet, by column. name: shown to people."""

    name: str
    columns: Mapping[str, npt.NDArray[Any]]

    @classmethod
    def in_force(cls, fleet: Fleet, name: str) -> "Way":
        """Return the bands and durations that a fleet has now."""
        return cls(name, {column: getattr(fleet, column)[: fleet.size].copy() for column in COLUMNS})

    def apply(self, fleet: Fleet) -> None:
        """Set a fleet's bands and durations to these."""
        for name, column in self.columns.items():
            np.copyto(getattr(fleet, name)[: fleet.size], column)
