"""Decoded points as columns, and what could not be decoded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

LETTERS = 100  # bad pieces that are kept
SHOWN = 500  # bytes of one
BASE = ("sum", "max", "min", "count")  # the statistics that every point has


@dataclass(frozen=True, slots=True)
class Bad:
    """A piece that could not be decoded: of which format, why, and how it begins."""

    format: str
    reason: str
    piece: bytes


@dataclass(slots=True)
class Points:
    """The points of some records, in the order they came.

    statistics: of every point, a row of `values` each; NaN where the point has none.
    numbers: of the points' names (see `Names`). times: when their minutes began, milliseconds since 1970.
    unwanted: points left out, by namespace, as nobody uses their metrics.
    bad: how many pieces could not be decoded, by format; `letters` are the first of them.
    """

    statistics: Sequence[str] = BASE
    unwanted: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    letters: list[Bad] = field(default_factory=list)
    _numbers: list[Numbers] = field(default_factory=list)
    _times: list[Numbers] = field(default_factory=list)
    _values: list[Values] = field(default_factory=list)
    count: int = 0

    def add(self, numbers: Numbers, times: Numbers, values: Values) -> None:
        """Append points; those with a negative number are left out."""
        known = numbers >= 0
        if not known.all():
            numbers, times, values = numbers[known], times[known], values[:, known]
        self._numbers.append(numbers)
        self._times.append(times)
        self._values.append(values)
        self.count += numbers.size

    def refuse(self, bad: Bad) -> None:
        """Count a piece that could not be decoded."""
        self.bad[bad.format] += 1
        if len(self.letters) < LETTERS:
            self.letters.append(replace(bad, piece=bad.piece[:SHOWN]))

    def extend(self, other: "Points") -> None:
        """Append all of another one."""
        self.unwanted += other.unwanted
        self.bad += other.bad
        self.letters += other.letters[: LETTERS - len(self.letters)]
        self._numbers += other._numbers
        self._times += other._times
        self._values += other._values
        self.count += other.count

    @property
    def usable(self) -> int:
        """How many points were understood, used or not."""
        return self.count + self.unwanted.total()

    def columns(self) -> tuple[Numbers, Numbers, Values]:
        """Numbers, times and values of all."""
        if not self._numbers:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty((len(self.statistics), 0))
        return (
            np.concatenate(self._numbers),
            np.concatenate(self._times),
            np.concatenate(self._values, axis=1),
        )
