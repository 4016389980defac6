"""The throttled demand that a signal tolerates, in words."""

from monitor.lib.percent import format_percent
from rules.plurals import count_of
from rules.signals import Signal, Tolerance


def tolerance_text(signal: Signal, tolerance: Tolerance) -> str:
    """Return how much throttled demand raises an alert; empty if CloudWatch has no metric of it."""
    if signal.saturation_is_state:
        minutes = count_of(tolerance.pending_for, "minute") if tolerance.pending_for else "one minute"
        return f"CloudWatch does not say how much is throttled; an alert needs {minutes} of throttling."
    if not signal.throttled_unit:
        return ""
    duration = (
        f"for {count_of(tolerance.pending_for, 'minute')}" if tolerance.pending_for else "in one minute"
    )
    return (
        f"An alert needs at least {tolerance.rate:g} throttled {signal.throttled_unit} per second {duration}."
        " Where CloudWatch counts the demand, at least "
        f"{format_percent(tolerance.share)} of it must be throttled."
    )
