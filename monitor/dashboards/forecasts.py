"""The alerting rules for Prometheus about forecasts: series that will probably reach their limits.

There is a rule for each horizon of Headroom's own alerts: three days, a day, six hours, an hour. A series has
only the alert of its nearest probable horizon. When a nearer horizon becomes probable, the former alert keeps
firing until the alert of the nearer horizon fires.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from monitor.fleet.key import ALL_LABELS, WHOLE_ACCOUNT
from monitor.lib.label_names import exported_names
from rules.alert_rules import Severity
from rules.band import Zone
from rules.forecast import LIKELY
from rules.forecast_features import HORIZON_TEXTS, HORIZONS

ALERT: Final = "HeadroomWillReach"
PENDING_FOR: Final = 30  # minutes; the default of `will_reach_for` in the configuration
FAMILY: Final = "headroom_limit_reach_probability"
MAX_OVER_PROCESSES: Final = "max without (instance, pod)"
LABELS: Final = exported_names(ALL_LABELS)


def forecast_rules(runbooks: str) -> Iterator[dict[str, Any]]:
    """Yield the rule of each horizon, the nearest first. runbooks: the address of the folder of runbooks."""
    horizons = [HORIZON_TEXTS[minutes] for minutes in HORIZONS]
    for nearer, horizon in pairwise(["", *horizons]):
        yield _rule(horizon, nearer, runbooks)


def _rule(horizon: str, nearer: str, runbooks: str) -> dict[str, Any]:
    return {
        "alert": ALERT,
        "expr": _expression(horizon, nearer),
        "for": f"{PENDING_FOR}m",
        "keep_firing_for": f"{PENDING_FOR}m",
        "labels": {"severity": Severity.WARNING.value, "within": horizon},
        "annotations": {
            "summary": _summary(horizon),
            "description": "The forecast is computed from the usage of the last 14 days. If demand was "
            "throttled below the limit, it is about the usage at which demand was throttled.",
            "remedy": "The runbook has the remedy, its command, and how long it takes: ask for an increase "
            "of a quota days before.",
            "runbook_url": f"{runbooks}/{{{{ $labels.aws_service }}}}.md"
            "#{{ $labels.aws_service }}{{ $labels.signal }}",
        },
    }


def _expression(horizon: str, nearer: str) -> str:
    """Return the query for series that will probably reach their limits within a horizon.

    Series in the zone `near` or worse are excluded, and series that will probably reach their limits within
    the next nearer horizon. A probability of 1 within the shortest horizon means that the limit is reached.
    """
    probable = f'{MAX_OVER_PROCESSES} ({FAMILY}{{horizon="{horizon}"}}) >= {LIKELY}'
    excluded = [f"{MAX_OVER_PROCESSES} (headroom_zone) >= {Zone.NEAR}"]
    if nearer:
        excluded.append(f'{MAX_OVER_PROCESSES} ({FAMILY}{{horizon="{nearer}"}}) >= {LIKELY}')
    else:
        probable += " < 1"
    return "\n".join([probable, *(f"  unless ignoring (horizon)\n{series}" for series in excluded)])


def _summary(horizon: str) -> str:
    """Return the sentence of an alert, with the earliest and the latest time."""
    selector = ",".join(f"{name}=%q" for name in LABELS)
    values = " ".join(f"$labels.{name}" for name in LABELS)
    times = " and ".join(_time_to_limit(selector, values, percentile) for percentile in ("10", "90"))
    resource = f"{{{{ with $labels.resource }}}}{{{{ . }}}}{{{{ else }}}}{WHOLE_ACCOUNT}{{{{ end }}}}"
    place = f"{resource} ({{{{ $labels.aws_account }}}}, {{{{ $labels.aws_region }}}})"
    probability = f"{{{{ $value | humanizePercentage }}}} within {horizon}"
    return (
        f"{{{{ $labels.aws_service }}}} {{{{ $labels.signal }}}}, {place} will probably reach its limit: "
        f"{probability}, between {times} from now."
    )


def _time_to_limit(selector: str, values: str, percentile: str) -> str:
    """Return a template of the time until the limit is reached, at a percentile."""
    query = f'headroom_limit_reach_timestamp_seconds{{{selector},percentile=\\"{percentile}\\"}} - time()'
    result = f'{{{{ with printf "{query}" {values} | query }}}}'
    return f"{result}{{{{ . | first | value | humanizeDuration }}}}{{{{ else }}}}an unknown time{{{{ end }}}}"
