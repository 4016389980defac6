"""The alert rules of each series: their severities and how long they keep firing."""

from collections.abc import Mapping
from enum import StrEnum

from rules.word_enum import WordEnum


class Severity(StrEnum):
    """The severity of an alert, from the lowest to the highest."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The place in the order of severities; 0 is the lowest."""
        return list(Severity).index(self)


class Rule(WordEnum):
    """The alert rules of each series, the worst last. The number is the row of the rule in arrays."""

    BELOW = 0
    ABOVE = 1
    NEAR = 2
    SATURATED = 3

    @property
    def severity(self) -> Severity:
        """The severity of the rule's alerts, unless an override sets another severity."""
        return SEVERITIES[self]


WORST_FIRST = tuple(reversed(Rule))
SEVERITIES: Mapping[Rule, Severity] = {
    Rule.BELOW: Severity.INFO,
    Rule.ABOVE: Severity.INFO,
    Rule.NEAR: Severity.WARNING,
    Rule.SATURATED: Severity.CRITICAL,
}

# In minutes. `saturated` keeps firing for more than 5, so that a job that is throttled every five minutes
# causes one alert.
KEEP_FIRING_FOR: Mapping[Rule, int] = {
    Rule.BELOW: 5,
    Rule.ABOVE: 5,
    Rule.NEAR: 5,
    Rule.SATURATED: 10,
}

BELOW_PENDING_FOR = 24 * 60  # minutes: a day, so that the busiest hours of the day are included
