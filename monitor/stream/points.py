"""Decoded points as columns, and the pieces that could not be decoded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from monitor.stream.decode_budget import MAX_NAMESPACES, DecodeBudget
from rules.arrays import Float64s, Int64s

MAX_STORED_ERRORS = 100  # per body of a request
MAX_PIECE_BYTES = 500  # stored bytes of a piece that could not be decoded
OTHER_NAMESPACES = "other"  # the name under which all further namespaces are counted
BASE_STATISTICS = ("sum", "max", "min", "count")  # AWS sends them with every point


@dataclass(frozen=True, slots=True)
class DecodeError:
    """A piece of a body that could not be decoded. It is collected, not raised: the rest of the body is used.

    piece: its first bytes, at most MAX_PIECE_BYTES once it is stored.
    """

    format: str
    reason: str
    piece: bytes


@dataclass(slots=True)
class Points:
    """The decoded points of one or more records, in their order.

    statistics: the names of the rows of values; a value is NaN where a point lacks the statistic.
    budget: limits the cost of decoding the body of a request.
    undeclared: the number of points that were dropped because no collector declares their metric, by
    namespace.
    error_counts: the number of pieces that could not be decoded, by format.
    errors: the first of these pieces.
    count: the number of points, without those of undeclared metrics.
    """

    statistics: Sequence[str] = BASE_STATISTICS
    budget: DecodeBudget = field(default_factory=DecodeBudget)
    undeclared: Counter[str] = field(default_factory=Counter)
    error_counts: Counter[str] = field(default_factory=Counter)
    errors: list[DecodeError] = field(default_factory=list)
    _numbers: list[Int64s] = field(default_factory=list)
    _times: list[Int64s] = field(default_factory=list)
    _values: list[Float64s] = field(default_factory=list)
    count: int = 0

    def add(self, numbers: Int64s, times: Int64s, values: Float64s) -> None:
        """Append points, except those with a negative number.

        numbers: the number of each point's name, see `NameInterner`; UNDECLARED or INVALID if it has none.
        times: the start of each point's minute, in milliseconds since 1970. values: [statistic, point].
        """
        if not numbers.size:
            return
        named = numbers >= 0
        if not named.all():
            numbers, times, values = numbers[named], times[named], values[:, named]
        self._numbers.append(numbers)
        self._times.append(times)
        self._values.append(values)
        self.count += numbers.size

    def count_undeclared(self, namespace: str, points: int = 1) -> None:
        """Count dropped points of a metric that no collector declares."""
        is_counted = namespace in self.undeclared or len(self.undeclared) < MAX_NAMESPACES
        self.undeclared[namespace if is_counted else OTHER_NAMESPACES] += points

    def add_error(self, error: DecodeError) -> None:
        """Count a piece that could not be decoded, and store its first bytes."""
        self.error_counts[error.format] += 1
        self.budget.count_error()
        if len(self.errors) < MAX_STORED_ERRORS:
            self.errors.append(replace(error, piece=error.piece[:MAX_PIECE_BYTES]))

    def extend(self, other: "Points") -> None:
        """Append the points, counts and errors of `other`, which has the same budget."""
        for namespace, points in other.undeclared.items():
            self.count_undeclared(namespace, points)
        self.error_counts += other.error_counts
        self.errors += other.errors[: MAX_STORED_ERRORS - len(self.errors)]
        self._numbers += other._numbers
        self._times += other._times
        self._values += other._values
        self.count += other.count

    @property
    def decoded_count(self) -> int:
        """The number of decoded points, including those of undeclared metrics."""
        return self.count + self.undeclared.total()

    def columns(self) -> tuple[Int64s, Int64s, Float64s]:
        """Return numbers, times and values of all points, as given to `add`."""
        if not self._numbers:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty((len(self.statistics), 0))
        return (
            np.concatenate(self._numbers),
            np.concatenate(self._times),
            np.concatenate(self._values, axis=1),
        )
