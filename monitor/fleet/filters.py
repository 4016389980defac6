"""The filters of the overview page, as its URL has them."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from glob import escape
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, field_validator

from monitor.fleet.query import MAX_NAME_LENGTH, WILDCARDS, Query, ZoneWord

MAX_PAGE = 10_000


class Filters(BaseModel):
    """Filters named as those of the API; an empty one matches everything.

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
    def _chosen(cls, zones: Any) -> Any:
        return [zone for zone in zones if zone] if isinstance(zones, list) else zones

    @property
    def query(self) -> Query:
        """The query of the API with these filters, but of all zones."""
        names = ("account", "region", "service", "signal")
        wanted = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.resource:
            wild = WILDCARDS & set(self.resource)
            wanted["resource"] = self.resource if wild else f"*{escape(self.resource)}*"
        return Query(**wanted)

    @property
    def is_active(self) -> bool:
        """Whether any filter is set."""
        return self.model_copy(update={"page": 1}) != Filters()

    def matches(self, labels: Mapping[str, str], zone: str) -> bool:
        """Return whether an alert with these labels and zone matches; a label that it lacks matches."""
        wanted = self.query
        called = (labels.get(name, "") for name in ("resource", "resource_id"))
        resource = wanted.resource is None or any(fnmatchcase(one, wanted.resource) for one in called)
        names = ("account", "region", "service", "signal")
        same = all(getattr(self, name) in ("", labels.get(name, getattr(self, name))) for name in names)
        return resource and same and (not self.zone or zone in self.zone)

    def url(self, **changes: Any) -> str:
        """Return the URL of the overview with these filters and some changes, by default its first page."""
        fields = self.model_dump() | {"page": 1} | changes
        pairs = [(name, value) for name, value in fields.items() if value and (name, value) != ("page", 1)]
        return "/?" + urlencode(pairs, doseq=True, errors="replace") if pairs else "/"
