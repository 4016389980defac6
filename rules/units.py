"""Units of usages, limits and CloudWatch metrics: the quantities they measure, and the texts of amounts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum, auto
from functools import cache, lru_cache

from rules.plurals import singular
from rules.problem_text import suggestion

DECIMAL_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
BINARY_PREFIXES = ((2**40, "Ti"), (2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki"))
TIME_SIZES = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))  # in seconds
AMOUNT = re.compile(r"(?P<number>[0-9][0-9,_]*(\.[0-9]+)?)\s*(?P<prefix>[kKMGT]i?)?(B|B/s)?")
MIN_SHOWN_AS_ONE = 0.999  # higher ratios may be shown as 1, with three significant digits
MIN_WHOLE_NUMBER = 100  # smaller numbers are shown with three significant digits


class UnitKind(Enum):
    """The quantity that a unit measures; amounts of different kinds cannot be compared."""

    COUNT = auto()  # a number of the things that the unit names, such as requests
    BYTES = auto()
    DURATION = auto()
    PERCENT = auto()


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of amounts.

    name: the name in the catalogue, in the exported label `unit` and in the API.
    symbol: the text after a number; for bytes without the prefix.
    scale: the value of one unit in the base of its kind, which is bytes or seconds.
    is_rate: True for amounts per second.
    is_load: True if amounts grow with traffic, as they are work at one time, or a share of what a machine can
        do.
    grafana: Grafana's id of the unit; `short` where the title of the panel names the unit.
    """

    name: str
    symbol: str
    kind: UnitKind = UnitKind.COUNT
    scale: float = 1.0
    is_rate: bool = False
    is_load: bool = False
    grafana: str = "short"

    def __str__(self) -> str:
        return self.name

    def split(self, amount: float) -> tuple[str, str]:
        """Return the number and the symbol of an amount: `3.6` and `MiB/s`, `1.2k` and `requests`."""
        if self.kind is UnitKind.BYTES:
            number, prefix = _scaled(amount, BINARY_PREFIXES, self.scale)
            return number, prefix + self.symbol
        if self.kind is UnitKind.DURATION:
            number, symbol = _scaled(amount, TIME_SIZES, self.scale)
            return number, symbol or self.symbol
        number, prefix = _scaled(amount, DECIMAL_PREFIXES, self.scale)
        return number + prefix, _singular(self.symbol) if number + prefix == "1" else self.symbol

    def format(self, amount: float) -> str:
        """Return an amount as text: `3.6 MiB/s`, `1.2k requests/s`, `36 h`, `92.5 %`."""
        return " ".join(self.split(amount))

    def parse(self, text: str) -> float:
        """Return the amount of a text such as `2k`, `40TiB` or `4 MiB/s`; only bytes may have a symbol.

        Bytes have binary prefixes, other units decimal prefixes. Raises ValueError for other texts.
        """
        is_bytes = self.kind is UnitKind.BYTES
        prefixes = {name: size for size, name in (BINARY_PREFIXES if is_bytes else DECIMAL_PREFIXES)}
        found = AMOUNT.fullmatch(text.strip())
        prefix = (found["prefix"] or "") if found else ""
        if not found or (prefix and prefix not in prefixes):
            raise ValueError(
                f"expected an amount such as {'40TiB' if is_bytes else '2000 or 2k'}, found {text!r}"
            )
        return float(found["number"].replace(",", "").replace("_", "")) * prefixes.get(prefix, 1.0)

    def format_range(self, usage: float | None, upper_bound: float | None, bounded: bool) -> str:
        """Return a usage as text, `-` for None; if `bounded`, the range from `usage` to `upper_bound`."""
        if usage is None:
            return "-"
        if not bounded:
            return self.format(usage)
        if upper_bound is None:
            return f"at least {self.format(usage)}"
        highest = self.format(upper_bound)
        if not usage:
            return f"at most {highest}"
        number, symbol = self.split(usage)
        is_shown_once = self._is_same_symbol(symbol, self.split(upper_bound)[1])
        return f"{number if is_shown_once else f'{number} {symbol}'} to {highest}"

    def format_fraction(self, usage: float, limit: float) -> str:
        """Return usage and limit: `3.5k of 4k requests/s`, `30 min of 24 h`, `3.6 MiB/s of 4 MiB/s`."""
        (number, symbol), (limit_number, limit_symbol) = self.split(usage), self.split(limit)
        is_shown_once = self._is_same_symbol(symbol, limit_symbol) and self.kind is not UnitKind.BYTES
        return f"{number if is_shown_once else f'{number} {symbol}'} of {limit_number} {limit_symbol}"

    def _is_same_symbol(self, symbol: str, other: str) -> bool:
        """Return whether two amounts have the same symbol, or its singular and its plural."""
        return symbol == other or self.kind is UnitKind.COUNT


@cache
def _singular(symbol: str) -> str:
    """Return the symbol of one thing: `shard`, `request/s`, `execution environment per 10 s`."""
    found = PLURAL.fullmatch(symbol)
    return singular(found["plural"]) + (found["per"] or "") if found else symbol


def _scaled(amount: float, sizes: tuple[tuple[float, str], ...], scale: float) -> tuple[str, str]:
    """Return the number of an amount in the greatest size that it reaches, and the name of that size."""
    divisor, name = next((size for size in _in_unit(sizes, scale) if _reaches(amount, size[0])), (1.0, ""))
    number = amount / divisor
    return f"{number:.0f}" if number >= MIN_WHOLE_NUMBER else f"{number:.3g}", name


@cache
def _in_unit(sizes: tuple[tuple[float, str], ...], scale: float) -> tuple[tuple[float, str], ...]:
    """Return sizes, converted from the base of a kind of unit to a unit of this scale."""
    return tuple((size / scale, name) for size, name in sizes)


def _reaches(amount: float, size: float) -> bool:
    """Return whether an amount, rounded to the three digits that are shown, is at least a size."""
    ratio = amount / size
    return ratio >= 1 or (ratio > MIN_SHOWN_AS_ONE and float(f"{ratio:.3g}") >= 1)


def counting_unit(name: str, *, is_load: bool = False) -> Unit:
    """Return a unit that counts the things in its name, such as `shards` or `calls/s`."""
    is_rate = name.endswith("/s")
    return Unit(name, name, is_rate=is_rate, is_load=is_rate or is_load)


COUNT = counting_unit("count")  # the unit of metrics that count something
BYTES = Unit("bytes", "B", UnitKind.BYTES, grafana="bytes")
BYTES_PER_SECOND = Unit("bytes/s", "B/s", UnitKind.BYTES, is_rate=True, is_load=True, grafana="binBps")
MILLISECONDS = Unit("milliseconds", "ms", UnitKind.DURATION, scale=1e-3, grafana="ms")
SECONDS = Unit("seconds", "s", UnitKind.DURATION, grafana="s")
PERCENT = Unit("percent", "%", UnitKind.PERCENT, is_load=True, grafana="percent")
PER_SECOND = counting_unit("/s")  # a rate of things that the context names
THROTTLED = counting_unit("throttled/s")  # the unit of saturation

COUNTED_THINGS = "calls/s groups invocations messages messages/s records records/s requests shards"
# The units of work at one time, or in a period.
LOADS = (
    "calls",
    "capacity units",
    "concurrent executions",
    "connections",
    "execution environments",
    "execution environments per 10 s",
    "flows",
    "requests/period",
    "seats",
)
UNITS: Mapping[str, Unit] = {
    unit.name: unit
    for unit in (
        BYTES,
        BYTES_PER_SECOND,
        MILLISECONDS,
        SECONDS,
        PERCENT,
        Unit("requests/s", "requests/s", is_rate=True, is_load=True, grafana="reqps"),
        *map(counting_unit, COUNTED_THINGS.split()),
        *(counting_unit(name, is_load=True) for name in LOADS),
    )
}

# Names of other units of counts: a plural, and the time of a rate; no abbreviations, sizes or times.
PLURAL = re.compile(r"(?P<plural>(?:[a-z][A-Za-z]* )*[a-z][A-Za-z]{2,})(?P<per>/s|/period| per [0-9]+ s)?")
MEASURES = ("bytes", "milliseconds", "seconds", "percent")
MEASURED_ENDINGS = ("bytes", "bits", "seconds", "minutes", "hours", "days")
MAX_CACHED_UNITS = 1024
MIN_MISSPELLED_SIMILARITY = 0.75  # similarity from which on a word is taken for one of MEASURES


def unit_named(name: str) -> Unit:
    """Return the unit of this name; an unknown unit, as of another version, counts the things in its name."""
    return UNITS.get(name) or counting_unit(name)


@lru_cache(maxsize=MAX_CACHED_UNITS)
def parse_unit(name: str) -> Unit:
    """Return the unit that an author of the catalogue named.

    Any plural is the unit of a count. Raises ValueError for another text, and for a size or a time that has
    no unit of its own, as its amounts would be shown as if they were counts.
    """
    if name in UNITS:
        return UNITS[name]
    found = PLURAL.fullmatch(name)
    if found and _is_countable(found["plural"]):
        return counting_unit(name)
    hint = suggestion(name.lower(), UNITS)
    raise ValueError(
        f"expected a unit such as bytes, milliseconds, percent, shards or requests/s, found {name!r}{hint}"
    )


def _is_countable(plural: str) -> bool:
    word = plural.rpartition(" ")[2]
    misspelled = get_close_matches(word, MEASURES, n=1, cutoff=MIN_MISSPELLED_SIMILARITY)
    return word.endswith("s") and not word.endswith(MEASURED_ENDINGS) and not misspelled
