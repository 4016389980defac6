"""Makes the catalogue entry of a service that a test declares."""

from rules.signals import Quota, Service


def declared_entry(quota: Quota, *names: str) -> Service:
    """Return the catalogue entry of the service `ours`. names: its signals, all with the same quota."""
    signal = {
        "title": "Items",
        "unit": "items",
        "kind": "quota",
        "quota": quota.model_dump(),
        "why": "It is full.",
        "saturation": "It is not counted.",
        "remedy": ["Delete some."],
        "docs": ["https://docs.aws.amazon.com/own/"],
    }
    return Service.model_validate(
        {"service": "ours", "title": "Ours", "signals": dict.fromkeys(names, signal)}
    )
