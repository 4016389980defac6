"""Collectors of which only what most commands need is known, until they call or read something."""

from collections.abc import Callable
from operator import attrgetter

from collectors.base import Collector, ServiceScope

# The fields that are not known before a collector is loaded.
LOADED = (
    "scans",
    "metrics",
    "iam_actions",
    "call_rates",
    "publication_delay",
    "arns",
    "region",
    "reduced",
    "declaration",
)


class LazyCollector(Collector):
    """A collector that is loaded at the first use of one of the fields LOADED.

    load: returns the same collector with all of its fields.
    """

    __slots__ = ("_load", "_whole")
    _load: Callable[[], Collector]
    _whole: Collector | None

    def __init__(
        self,
        load: Callable[[], Collector],
        service: str,
        *,
        signals: frozenset[str] = frozenset(),
        scope: ServiceScope = ServiceScope.REGION,
        reads_last: bool = False,
    ) -> None:
        known = {"service": service, "signals": signals, "scope": scope, "reads_last": reads_last}
        for name, value in {**known, "_load": load, "_whole": None}.items():
            object.__setattr__(self, name, value)

    @property
    def loaded(self) -> Collector:
        """The collector that `load` returned, once."""
        if self._whole is None:
            object.__setattr__(self, "_whole", self._load())
        assert self._whole is not None
        return self._whole


for one in LOADED:
    setattr(LazyCollector, one, property(attrgetter(f"loaded.{one}")))
