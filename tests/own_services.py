"""Services that do not come with Headroom, and registries of them."""

from collectors.base import Collector, Metric
from collectors.registry import Registry, build_registry
from rules.limits import Service


def own_collector(name: str) -> Collector:
    """The collector of a service `name`: one metric, one permission, one rate of its own."""
    return Collector(
        service=name,
        scans=(),
        metrics=(Metric(f"Own/{name}", "Used", "p99"),),
        iam_actions=(f"{name}:ListAll",),
        call_rates={name: 3},
    )


def own_service(name: str, title: str = "") -> Service:
    """The entry of a service `name` in the catalogue: the signals `size` and `rate`, and a quota."""
    signal = {
        "title": "Size",
        "unit": "items",
        "kind": "quota",
        "quota": {"service": name, "code": "L-00000001"},
        "why": "It is full.",
        "saturation": "It is not counted.",
        "remedy": ["Delete some."],
        "docs": ["https://docs.aws.amazon.com/own/"],
    }
    signals = {"size": signal, "rate": signal | {"covered_by": "size"}}
    return Service.model_validate({"service": name, "title": title or f"Own {name}", "signals": signals})


def own_registry(*names: str) -> Registry:
    """The registry of services with these names."""
    return build_registry(map(own_collector, names), map(own_service, names))
