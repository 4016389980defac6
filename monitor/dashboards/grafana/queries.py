"""The PromQL of the dashboards. Every query has an answer: where nothing is there to show, it says so."""

from collections.abc import Mapping

from rules.band import Zone

Matchers = Mapping[str, str]

GROUP = ("account", "region", "service", "signal")
SERIES = (*GROUP, "resource")
BY_SERIES = f"by ({', '.join(SERIES)})"
ON_SERIES = f"on ({', '.join(SERIES)})"
BY_SERIES_AND_UNIT = f"by ({', '.join(SERIES)}, unit)"
FAILED_CALLS = 'headroom_aws_calls_total{code!=""}'
SHOWN = 50  # rows of a table
DRAWN = 10  # lines of a chart

CHOSEN: Matchers = {label: f'=~"${label}"' for label in SERIES}  # with variables that may have many values
ONE: Matchers = {label: f'="${label}"' for label in SERIES}  # with variables that have one


def within(service: str) -> Matchers:
    """What is chosen of one service."""
    return {**CHOSEN, "service": f'="{service}"'}


def of(service: str, signal: str) -> Matchers:
    """What is chosen of one signal."""
    return {**CHOSEN, "service": f'="{service}"', "signal": f'="{signal}"'}


def select(family: str, matchers: Matchers, labels: tuple[str, ...] = SERIES, **more: str) -> str:
    """A selector of a family that has these labels; `more` are further matchers, with their operator."""
    chosen = {label: matchers[label] for label in labels} | more
    return f"{family}{{{','.join(label + match for label, match in chosen.items())}}}"


def series(family: str, matchers: Matchers) -> str:
    """The samples of a family, whatever process they were scraped from."""
    return f"max {BY_SERIES} ({select(family, matchers)})"


def usage(matchers: Matchers) -> str:
    """Usage, or the most that it may be where CloudWatch only bounds it."""
    known, bound = (series(f"headroom_usage{suffix}", matchers) for suffix in ("", "_upper_bound"))
    return f"({known} or {bound})"


def or_none(expression: str, said: str = "no samples") -> str:
    """The expression, or one line that draws nothing and is called `said`: missing is not zero."""
    nothing = f'label_replace(vector(NaN), "resource", "{said}", "", "")'
    return f"{expression}\nor on () {nothing}"


def or_zero(expression: str) -> str:
    """A count that is zero when nothing is there to count."""
    return f"{expression}\nor on () vector(0)"


def in_zone(zone: Zone, matchers: Matchers) -> str:
    """How many series are in the zone."""
    counted = select("headroom_series", matchers, GROUP, zone=f'="{zone.word}"')
    return or_zero(f"sum ({counted})")


def worst(matchers: Matchers) -> str:
    """The zones of the worst series, of those at or beyond the chosen zone."""
    return f"topk({SHOWN}, {series('headroom_zone', matchers)} >= $zone)"


def beside_worst(expression: str, matchers: Matchers) -> str:
    """Another family of the series that `worst` tells; NaN for those that do not have it."""
    unknown = f"{series('headroom_zone', matchers)} * NaN"
    return f"({expression} or {ON_SERIES} {unknown})\nand {ON_SERIES}\n{worst(matchers)}"


def top(expression: str) -> str:
    """The highest of them."""
    return f"topk({DRAWN}, {expression})"


def projected(matchers: Matchers, hours: int) -> str:
    """Utilization in some hours if it goes on as in the last one: a line through it, no more than that."""
    line = f"predict_linear({select('headroom_utilization_ratio', matchers)}[1h], {hours} * 3600)"
    return or_none(f"topk({DRAWN}, clamp_min(max {BY_SERIES} ({line}), 0))")


def unseen(matchers: Matchers) -> str:
    """How many series of a signal have no sample now, or can never have one."""
    zone = f'=~"{Zone.STALE.word}|{Zone.UNOBSERVABLE.word}"'
    counted = (
        f"sum by ({', '.join(GROUP)}, zone) ({select('headroom_series', matchers, GROUP, zone=zone)}) > 0"
    )
    return or_zero(counted)


def age(family: str, matchers: Matchers, labels: tuple[str, ...]) -> str:
    """Seconds since what a family's timestamps tell."""
    return f"time() - max by ({', '.join(labels)}) ({select(family, matchers, labels)})"


def blind_cells(matchers: Matchers) -> str:
    """How many cells were not read completely for 15 minutes, or never."""
    cell = ("account", "region")
    read = f"max by (account, region) ({select('headroom_poll_timestamp_seconds', matchers, cell)})"
    known = f"max by (account, region) ({select('headroom_series', matchers, cell)})"
    return or_zero(f"count ((time() - {read} > 900) or ({known} unless {read}))")
