"""Reads AWS's default quotas, for accounts whose applied quotas Headroom may not read."""

from collections.abc import Iterable, Set

from collectors.registry import Registry
from collectors.service_quotas.known_quotas import KnownQuotas
from collectors.service_quotas.quota_list import ListedQuota, listed_quota
from monitor.aws.cell import Cell
from monitor.aws.failure import Failure
from monitor.polling.quota_book import QUOTA_INTERVAL, QuotaBook
from monitor.polling.quota_reading import QuotaReading, read_defaults
from rules.limits import LimitSource
from rules.signals import Quota


class DefaultQuotaBook(QuotaBook):
    """The default quotas of a region, which are the same for all of its accounts.

    cell: a cell in the region whose account may read default quotas. lists: by service code, all quotas that
    were read. list_failures: by service code, why the last reading could not list the quotas.
    """

    def __init__(self, cell: Cell, registry: Registry, interval: float = QUOTA_INTERVAL) -> None:
        super().__init__(cell, registry.quotas(registry.service_names), interval, on_demand=True)
        for service_code in registry.quota_services(registry.service_names):
            self._quotas.setdefault(service_code, set())
        self.lists: dict[str, tuple[ListedQuota, ...]] = {}
        self.list_failures: dict[str, Failure] = {}

    def add_services(self, service_codes: Iterable[str]) -> None:
        """Have the next reading, and each later one, read the quotas of these service codes, too."""
        self._service_codes |= dict.fromkeys(code for code in service_codes if code in self._quotas)

    def known_quotas(self, in_use: Set[str]) -> KnownQuotas:
        """Return what is known of the quotas of the service codes in use; `add_services` these codes, too."""
        self.add_services(in_use)
        return KnownQuotas(
            lists={code: self.lists[code] for code in in_use & self.lists.keys()},
            in_use=frozenset(in_use),
            list_failures=[self.list_failures[code].sentence for code in in_use & self.list_failures.keys()],
        )

    def _is_due(self, service_code: str) -> bool:
        return service_code in self.list_failures or super()._is_due(service_code)

    async def _read_quotas(self, service_code: str, quotas: Set[Quota], applied: Set[Quota]) -> QuotaReading:
        reading = await read_defaults(self._cell, service_code, quotas)
        self.list_failures.pop(service_code, None)
        if reading.list_failure:
            self.list_failures[service_code] = reading.list_failure
        else:
            quotas_or_none = (
                listed_quota(service_code, description, LimitSource.DEFAULT)
                for description in reading.descriptions or ()
            )
            self.lists[service_code] = tuple(filter(None, quotas_or_none))
        return reading

    @property
    def requests_unknown_reason(self) -> str:
        """The reason why requests for quota increases are unknown."""
        return "only the account itself may read them, and it has no role"

    async def _read_requests(self) -> None:
        """Read nothing: AWS would return the requests of the account whose cell reads the default quotas."""
