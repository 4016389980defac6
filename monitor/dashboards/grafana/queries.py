"""The PromQL of the dashboards.

Without data, a chart has an empty line whose name says so, and a count is not shown as 0.
"""

from collections.abc import Iterable, Mapping

from monitor.fleet.key import ALL_LABELS, LABELS
from monitor.lib.label_names import exported_name, exported_names
from rules.band import Zone

Matchers = Mapping[str, str]

VARIABLES = LABELS  # variables of a dashboard; they have the names of the fields of a series
GROUP_LABELS = exported_names(LABELS[:-1])
SERIES_LABELS = exported_names(LABELS)
IDENTITY = ", ".join(exported_names(ALL_LABELS))
BY_SERIES = f"by ({IDENTITY})"
ON_SERIES = f"on ({IDENTITY})"
BY_SERIES_AND_UNIT = f"by ({IDENTITY}, unit)"
ACCOUNT, REGION, SERVICE = exported_names(("account", "region", "service"))
FAILED_CALLS = 'headroom_aws_calls_total{code!=""}'
MAX_ROWS = 50  # rows of a table
MAX_LINES = 10  # lines of a chart

SELECTED: Matchers = {
    exported_name(name): f'=~"${name}"' for name in VARIABLES
}  # for variables with several values
SINGLE: Matchers = {exported_name(name): f'="${name}"' for name in VARIABLES}  # for variables with one value


def of_services(services: Iterable[str]) -> Matchers:
    """Return matchers for the selected series of some services."""
    return {**SELECTED, SERVICE: f'=~"{"|".join(services)}"'}


def select(metric: str, matchers: Matchers, labels: tuple[str, ...] = SERIES_LABELS, **more: str) -> str:
    """Return a selector of a metric. labels: the labels of `matchers` to use; more: further matchers."""
    chosen = {label: matchers[label] for label in labels} | more
    return f"{metric}{{{','.join(label + match for label, match in chosen.items())}}}"


def series(metric: str, matchers: Matchers) -> str:
    """Return the samples of a metric, merged over the scraped processes."""
    return f"max {BY_SERIES} ({select(metric, matchers)})"


def usage(matchers: Matchers) -> str:
    """Return the usage, or its upper bound where CloudWatch only bounds it."""
    known, bound = (series(f"headroom_usage{suffix}", matchers) for suffix in ("", "_upper_bound"))
    return f"({known} or {bound})"


def or_none(expression: str, placeholder: str = "no samples") -> str:
    """Return the expression, or else an empty line named `placeholder`, because missing is not zero."""
    nothing = f'label_replace(vector(NaN), "resource", "{placeholder}", "", "")'
    return f"{expression}\nor on () {nothing}"


def or_zero(expression: str, samples: str = "headroom_build_info") -> str:
    """Return the expression, or else zero; for counts.

    samples: a selector of what is counted. While it selects nothing, the count is unknown, not zero.
    """
    return f"{expression}\nor on () 0 * count ({samples})"


def count_in_zone(zone: Zone, matchers: Matchers) -> str:
    """Return the number of series in a zone."""
    counted = select("headroom_series", matchers, GROUP_LABELS, zone=f'="{zone.word}"')
    return or_zero(f"sum ({counted})", all_series(matchers))


def all_series(matchers: Matchers) -> str:
    """Return a selector of the numbers of all series, in any zone."""
    return select("headroom_series", matchers, GROUP_LABELS)


def worst(matchers: Matchers) -> str:
    """Return the zones of the MAX_ROWS most urgent series in the selected zone or a worse one."""
    return f"topk({MAX_ROWS}, {series('headroom_zone', matchers)} >= $zone)"


def column_of_worst(expression: str, matchers: Matchers) -> str:
    """Return another metric of the series of `worst`; NaN for series without it."""
    unknown = f"{series('headroom_zone', matchers)} * NaN"
    return f"({expression} or {ON_SERIES} {unknown})\nand {ON_SERIES}\n{worst(matchers)}"


def highest(expression: str) -> str:
    """Return the MAX_LINES highest values of an expression."""
    return f"topk({MAX_LINES}, {expression})"


def probable(matchers: Matchers, horizon: str) -> str:
    """Return the highest probabilities of reaching the limit in a horizon, without series at the limit."""
    probability = select("headroom_limit_reach_probability", matchers, horizon=f'="{horizon}"')
    return or_none(f"topk({MAX_LINES}, max {BY_SERIES} ({probability}) < 1)", "no forecast yet")


def by_label(metric: str, matchers: Matchers, label: str) -> str:
    """Return a metric of one series, grouped by a label that the metric has in addition."""
    return f"max by (resource, {label}) ({select(metric, matchers)})"


def without_samples(matchers: Matchers) -> str:
    """Return the number of stale and of unobservable series of each signal."""
    zone = f'=~"{Zone.STALE.word}|{Zone.UNOBSERVABLE.word}"'
    counts = select("headroom_series", matchers, GROUP_LABELS, zone=zone)
    return or_zero(f"sum by ({', '.join(GROUP_LABELS)}, zone) ({counts}) > 0", all_series(matchers))


def age(metric: str, matchers: Matchers, labels: tuple[str, ...]) -> str:
    """Return the age, in seconds, of the newest timestamp that a metric has for these labels."""
    return f"time() - max by ({', '.join(labels)}) ({select(metric, matchers, labels)})"


def blind_cells(matchers: Matchers) -> str:
    """Return the number of cells that were never completely read, or not for 15 minutes."""
    cell = (ACCOUNT, REGION)
    read = f"max by ({', '.join(cell)}) ({select('headroom_poll_timestamp_seconds', matchers, cell)})"
    counts = select("headroom_series", matchers, cell)
    known = f"max by ({', '.join(cell)}) ({counts})"
    return or_zero(f"count ((time() - {read} > 900) or ({known} unless {read}))", counts)
