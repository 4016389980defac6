"""The roles of principals."""

from enum import StrEnum


class Role(StrEnum):
    """A role. Each role includes the roles that are listed before it."""

    METRICS = "metrics"  # scrape /metrics only
    READ = "read"  # read everything
    OPERATE = "operate"  # send requests other than GET and HEAD: acknowledge, silence, replay, reload

    def covers(self, required: "Role") -> bool:
        """Return whether this role includes `required`."""
        return ROLES.index(self) >= ROLES.index(required)


ROLES = tuple(Role)
