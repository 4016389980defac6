"""The service codes of an account: those in use, and those whose quotas are read once for all regions."""

from collections.abc import Set
from dataclasses import dataclass, field


@dataclass(slots=True)
class AccountServiceCodes:
    """The service codes that each region of an account records for the cell of global services.

    A global quota here is one that is the same in all regions, or one that is counted in a single region.
    """

    _in_use: dict[str, Set[str]] = field(default_factory=dict)
    _with_global: dict[str, Set[str]] = field(default_factory=dict)

    def record(self, region: str, in_use: Set[str], with_global_quotas: Set[str]) -> None:
        """Record the service codes of a region."""
        self._in_use[region], self._with_global[region] = in_use, with_global_quotas

    @property
    def in_use(self) -> Set[str]:
        """The service codes that are in use in any region."""
        return set[str]().union(*self._in_use.values())

    @property
    def with_global_quotas(self) -> Set[str]:
        """The service codes with global quotas in any region's list."""
        return set[str]().union(*self._with_global.values())
