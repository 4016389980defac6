"""Which series a page is about, as its address says."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from glob import escape
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, field_validator

from monitor.query import LONGEST, Query, ZoneWord

WILD = set("*?")
MOST_PAGES = 10_000


class Filters(BaseModel):
    """Named as the API's; what is empty does not filter. A resource without `*` or `?` is looked for within
    the names."""

    model_config = ConfigDict(frozen=True)

    account: str = ""
    region: str = ""
    service: str = ""
    signal: str = ""
    resource: str = Field(default="", max_length=LONGEST // 2)
    zone: tuple[ZoneWord, ...] = ()
    page: int = Field(default=1, ge=1, le=MOST_PAGES)

    @field_validator("zone", mode="before")
    @classmethod
    def _chosen(cls, zones: Any) -> Any:
        return [zone for zone in zones if zone] if isinstance(zones, list) else zones

    @property
    def query(self) -> Query:
        """The same for all zones, as the API asks it."""
        names = ("account", "region", "service", "signal")
        wanted = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.resource:
            wild = WILD & set(self.resource)
            wanted["resource"] = self.resource if wild else f"*{escape(self.resource)}*"
        return Query(**wanted)

    @property
    def narrow(self) -> bool:
        """Whether anything is filtered."""
        return self.model_copy(update={"page": 1}) != Filters()

    def fit(self, labels: Mapping[str, str], zone: str) -> bool:
        """Whether an alert with these labels, of a zone, is of a series that passes."""
        wanted = self.query
        resource = wanted.resource is None or fnmatchcase(labels.get("resource", ""), wanted.resource)
        names = ("account", "region", "service", "signal")
        same = all(getattr(self, name) in ("", labels.get(name, "")) for name in names)
        return resource and same and (not self.zone or zone in self.zone)

    def url(self, **changes: Any) -> str:
        """The address of the overview filtered so, but for some changes; its first page unless told."""
        told = self.model_dump() | {"page": 1} | changes
        pairs = [(name, value) for name, value in told.items() if value and (name, value) != ("page", 1)]
        return "/?" + urlencode(pairs, doseq=True, errors="replace") if pairs else "/"
