"""The filters of the overview page, which are the query parameters of its URL."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from glob import escape
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, field_validator

from monitor.fleet.query import MAX_NAME_LENGTH, Query, ZoneWord
from monitor.fleet.search_match import WILDCARDS

MAX_PAGE = 10_000


class Filters(BaseModel):
    """The filters, with the names that the API uses. An empty filter matches everything.

    A resource without `*` or `?` matches every name that contains it.
    """

    model_config = ConfigDict(frozen=True)

    account: str = ""
    region: str = ""
    service: str = ""
    signal: str = ""
    resource: str = Field(default="", max_length=MAX_NAME_LENGTH)
    zone: tuple[ZoneWord, ...] = ()
    page: int = Field(default=1, ge=1, le=MAX_PAGE)

    @field_validator("zone", mode="before")
    @classmethod
    def _without_empty_zones(cls, zones: Any) -> Any:
        return [zone for zone in zones if zone] if isinstance(zones, list) else zones

    @property
    def query(self) -> Query:
        """The query of the API with all of these filters except `zone`."""
        names = ("account", "region", "service", "signal")
        wanted = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.resource:
            has_wildcards = WILDCARDS & set(self.resource)
            wanted["resource"] = self.resource if has_wildcards else f"*{escape(self.resource)}*"
        return Query(**wanted)

    @property
    def is_active(self) -> bool:
        """True if any filter is set."""
        return self.model_copy(update={"page": 1}) != Filters()

    def matches(self, labels: Mapping[str, str], zone: str) -> bool:
        """Return whether an alert with these labels and this zone matches.

        An absent label matches any filter, except that an absent resource counts as an empty name.
        """
        pattern = self.query.resource
        resource_names = (labels.get(label, "") for label in ("resource", "resource_id"))
        has_resource = pattern is None or any(fnmatchcase(name, pattern) for name in resource_names)
        names = ("account", "region", "service", "signal")
        has_labels = all(getattr(self, name) in ("", labels.get(name, getattr(self, name))) for name in names)
        return has_resource and has_labels and (not self.zone or zone in self.zone)

    def url(self, **changes: Any) -> str:
        """Return the URL of the overview with these filters and `changes`; without a `page`, of page 1."""
        fields = self.model_dump() | {"page": 1} | changes
        pairs = [(name, value) for name, value in fields.items() if value and (name, value) != ("page", 1)]
        return "/?" + urlencode(pairs, doseq=True, errors="replace") if pairs else "/"
