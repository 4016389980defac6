"""The documented default limit of a signal, in words."""

from rules.signals import LimitKind, Signal


def default_limit_text(signal: Signal) -> str:
    """Return the documented default limit, as a range if it differs by region."""
    default = signal.default
    if default is None:
        return _other_origin(signal)
    values = [default.value, *default.by_region.values()]
    lowest, highest = (signal.unit.format(value) for value in (min(values), max(values)))
    return lowest if lowest == highest else f"{lowest} to {highest}, by region"


def _other_origin(signal: Signal) -> str:
    """Return where a limit without a documented default comes from."""
    if signal.quota:
        return "from Service Quotas"
    return "depends on the resource" if signal.kind is LimitKind.FIXED else "set by the customer"
