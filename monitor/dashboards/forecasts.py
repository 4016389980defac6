"""The alerting rules for Prometheus about forecasts: series that will probably reach their limits.

There is one for each of the classes that Headroom's own alerts have: within three days, a day, six hours, an
hour. A series has the alert of the nearest class; when a nearer one becomes probable, the alert of the class
before fires on until that of the nearer one does.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from monitor.fleet.key import ALL_LABELS, WHOLE_ACCOUNT
from monitor.lib.label_names import exported_names
from rules.alert_rules import Severity
from rules.band import Zone
from rules.forecast import LIKELY
from rules.forecast_features import HORIZON_WORDS, HORIZONS

ALERT: Final = "HeadroomWillReach"
PENDING_FOR: Final = 30  # minutes, as `will_reach_for` of the configuration is by default
FAMILY: Final = "headroom_limit_reach_probability"
WITHOUT: Final = "max without (instance, pod)"
LABELS: Final = exported_names(ALL_LABELS)


def forecast_rules(runbooks: str) -> Iterator[dict[str, Any]]:
    """Yield the rule of each class, the nearest first. runbooks: the address of their folder."""
    words = [HORIZON_WORDS[horizon] for horizon in HORIZONS]
    for nearer, word in pairwise(["", *words]):
        yield _rule(word, nearer, runbooks)


def _rule(word: str, nearer: str, runbooks: str) -> dict[str, Any]:
    return {
        "alert": ALERT,
        "expr": _expression(word, nearer),
        "for": f"{PENDING_FOR}m",
        "keep_firing_for": f"{PENDING_FOR}m",
        "labels": {"severity": Severity.WARNING.value, "within": word},
        "annotations": {
            "summary": _summary(word),
            "description": "By the usage of the last 14 days; where demand was refused below the limit, by "
            "the usage at which that was.",
            "remedy": "The runbook has the remedy, its command, and how long it takes: ask for an increase "
            "of a quota days before.",
            "runbook_url": f"{runbooks}/{{{{ $labels.aws_service }}}}.md"
            "#{{ $labels.aws_service }}{{ $labels.signal }}",
        },
    }


def _expression(word: str, nearer: str) -> str:
    """Return the series that probably reach the limit within a class and no nearer one, and are not near it.

    A probability of 1 within the shortest horizon says that the limit is reached.
    """
    first = f'{WITHOUT} ({FAMILY}{{horizon="{word}"}}) >= {LIKELY}'
    others = [f"{WITHOUT} (headroom_zone) >= {Zone.NEAR}"]
    if nearer:
        others.append(f'{WITHOUT} ({FAMILY}{{horizon="{nearer}"}}) >= {LIKELY}')
    else:
        first += " < 1"
    return "\n".join([first, *(f"  unless ignoring (horizon)\n{other}" for other in others)])


def _summary(word: str) -> str:
    """Return the sentence of an alert, with the earliest and the latest time."""
    selector = ",".join(f"{name}=%q" for name in LABELS)
    values = " ".join(f"$labels.{name}" for name in LABELS)
    times = " and ".join(_time(selector, values, quantile) for quantile in ("0.1", "0.9"))
    resource = f"{{{{ with $labels.resource }}}}{{{{ . }}}}{{{{ else }}}}{WHOLE_ACCOUNT}{{{{ end }}}}"
    where = f"{resource} ({{{{ $labels.aws_account }}}}, {{{{ $labels.aws_region }}}})"
    probability = f"{{{{ $value | humanizePercentage }}}} within {word}"
    return (
        f"{{{{ $labels.aws_service }}}} {{{{ $labels.signal }}}}, {where} will probably reach its limit: "
        f"{probability}, between {times} from now."
    )


def _time(selector: str, values: str, quantile: str) -> str:
    """Return a template of the time until the limit is reached, of a quantile."""
    query = f'headroom_limit_reach_timestamp_seconds{{{selector},quantile=\\"{quantile}\\"}} - time()'
    asked = f'{{{{ with printf "{query}" {values} | query }}}}'
    return f"{asked}{{{{ . | first | value | humanizeDuration }}}}{{{{ else }}}}an unknown time{{{{ end }}}}"
