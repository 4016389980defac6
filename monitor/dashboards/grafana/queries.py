"""The PromQL of the dashboards: each function returns a query, or a part of one.

Without data, a chart has an empty line whose name says so, and a count is not shown as 0.
"""

from collections.abc import Iterable, Mapping

from monitor.fleet.key import ALL_LABELS, LABELS
from monitor.lib.label_names import exported_name, exported_names
from rules.band import Zone

LabelMatchers = Mapping[str, str]

VARIABLES = LABELS  # variables of a dashboard; they have the names of the fields of a series
GROUP_LABELS = exported_names(LABELS[:-1])
SERIES_LABELS = exported_names(LABELS)
IDENTITY = ", ".join(exported_names(ALL_LABELS))
BY_SERIES = f"by ({IDENTITY})"
ON_SERIES = f"on ({IDENTITY})"
BY_SERIES_AND_UNIT = f"by ({IDENTITY}, unit)"
ACCOUNT, REGION, SERVICE = exported_names(("account", "region", "service"))
FAILED_CALLS = 'headroom_aws_calls_total{code!=""}'
BLIND_AFTER = 900  # seconds without a complete poll of a cell
MAX_ROWS = 50  # rows of a table
MAX_LINES = 10  # lines of a chart

# For variables with several values.
SELECTED: LabelMatchers = {exported_name(name): f'=~"${name}"' for name in VARIABLES}
# For variables with one value.
SINGLE: LabelMatchers = {exported_name(name): f'="${name}"' for name in VARIABLES}


def of_services(services: Iterable[str]) -> LabelMatchers:
    """Return matchers for the selected series of some services."""
    return {**SELECTED, SERVICE: f'=~"{"|".join(services)}"'}


def select(
    metric: str, matchers: LabelMatchers, labels: tuple[str, ...] = SERIES_LABELS, **further: str
) -> str:
    """Return a selector of a metric. labels: the labels of `matchers` to use. further: other matchers."""
    used = {label: matchers[label] for label in labels} | further
    return f"{metric}{{{','.join(label + match for label, match in used.items())}}}"


def series(metric: str, matchers: LabelMatchers) -> str:
    """Return the samples of a metric, merged over the scraped processes."""
    return f"max {BY_SERIES} ({select(metric, matchers)})"


def usage(matchers: LabelMatchers) -> str:
    """Return the usage, or its upper bound where CloudWatch gives only bounds."""
    exact, bound = (series(f"headroom_usage{suffix}", matchers) for suffix in ("", "_upper_bound"))
    return f"({exact} or {bound})"


def or_none(expression: str, placeholder: str = "no samples", label: str = "resource") -> str:
    """Return the expression, or else an empty line named `placeholder`, because missing is not zero.

    label: the label whose value is `placeholder`; the legend of the line shows this label.
    """
    nothing = f'label_replace(vector(NaN), "{label}", "{placeholder}", "", "")'
    return f"{expression}\nor on () {nothing}"


def or_zero(expression: str, samples: str = "headroom_build_info") -> str:
    """Return the expression, or else zero; for counts.

    samples: a selector of what is counted. While it selects nothing, the count is unknown, not zero.
    """
    return f"{expression}\nor on () 0 * count ({samples})"


def count_in_zone(zone: Zone, matchers: LabelMatchers) -> str:
    """Return the number of series in a zone."""
    in_zone = select("headroom_series", matchers, GROUP_LABELS, zone=f'="{zone.word}"')
    return or_zero(f"sum ({in_zone})", all_series(matchers))


def all_series(matchers: LabelMatchers) -> str:
    """Return a selector of the numbers of all series, in any zone."""
    return select("headroom_series", matchers, GROUP_LABELS)


def most_urgent(matchers: LabelMatchers) -> str:
    """Return the zones of the MAX_ROWS most urgent series in the selected zone or a worse one."""
    return f"topk({MAX_ROWS}, {series('headroom_zone', matchers)} >= $zone)"


def column_of_most_urgent(expression: str, matchers: LabelMatchers) -> str:
    """Return another metric of the series of `most_urgent`; NaN for series without it."""
    unknown = f"{series('headroom_zone', matchers)} * NaN"
    return f"({expression} or {ON_SERIES} {unknown})\nand {ON_SERIES}\n{most_urgent(matchers)}"


def highest(expression: str) -> str:
    """Return the MAX_LINES highest values of an expression."""
    return f"topk({MAX_LINES}, {expression})"


def highest_probabilities(matchers: LabelMatchers, horizon: str) -> str:
    """Return the highest probabilities of reaching the limit in a horizon, without series at the limit."""
    probability = select("headroom_limit_reach_probability", matchers, horizon=f'="{horizon}"')
    return or_none(f"topk({MAX_LINES}, max {BY_SERIES} ({probability}) < 1)", "no forecast yet")


def by_label(metric: str, matchers: LabelMatchers, label: str) -> str:
    """Return a metric of one series, grouped by a label that the metric has in addition."""
    return f"max by (resource, {label}) ({select(metric, matchers)})"


def without_samples(matchers: LabelMatchers) -> str:
    """Return the number of stale and of unobservable series of each signal."""
    zone = f'=~"{Zone.STALE.word}|{Zone.UNOBSERVABLE.word}"'
    counts = select("headroom_series", matchers, GROUP_LABELS, zone=zone)
    return or_zero(f"sum by ({', '.join(GROUP_LABELS)}, zone) ({counts}) > 0", all_series(matchers))


def age(metric: str, matchers: LabelMatchers, labels: tuple[str, ...]) -> str:
    """Return the age, in seconds, of the newest timestamp that a metric has for these labels."""
    return f"time() - max by ({', '.join(labels)}) ({select(metric, matchers, labels)})"


def blind_cells(matchers: LabelMatchers) -> str:
    """Return the number of cells that were never completely read, or not for 15 minutes."""
    cell_labels = (ACCOUNT, REGION)
    polls = select("headroom_poll_timestamp_seconds", matchers, cell_labels)
    last_poll = f"max by ({', '.join(cell_labels)}) ({polls})"
    counts = select("headroom_series", matchers, cell_labels)
    known_cells = f"max by ({', '.join(cell_labels)}) ({counts})"
    late_cells = f"time() - {last_poll} > {BLIND_AFTER}"
    return or_zero(f"count (({late_cells}) or ({known_cells} unless {last_poll}))", counts)
