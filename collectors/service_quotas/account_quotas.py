"""Quotas that are the same in all regions of an account, of which each region says whether it uses them."""

from collections.abc import Set
from dataclasses import dataclass, field


@dataclass(slots=True)
class AccountQuotas:
    """The service codes in use, and those with quotas that are the same in all regions, by region."""

    in_use_by_region: dict[str, Set[str]] = field(default_factory=dict)
    with_global_by_region: dict[str, Set[str]] = field(default_factory=dict)

    def tell(self, region: str, in_use: Set[str], with_global: Set[str]) -> None:
        """Take what is known in a region."""
        self.in_use_by_region[region], self.with_global_by_region[region] = in_use, with_global

    @property
    def in_use(self) -> Set[str]:
        """The service codes that are in use in any region."""
        return set[str]().union(*self.in_use_by_region.values())

    @property
    def with_global(self) -> Set[str]:
        """The service codes with quotas that are the same in all regions."""
        return set[str]().union(*self.with_global_by_region.values())
