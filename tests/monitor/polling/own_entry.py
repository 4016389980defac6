"""The catalogue's entry of a service that tests declare."""

from rules.signals import Quota, Service


def own_entry(quota: Quota, *names: str) -> Service:
    """The service `ours` with these signals, each with the quota."""
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
