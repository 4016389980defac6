"""What somebody may do."""

from enum import StrEnum


class Role(StrEnum):
    """Each covers those before it."""

    METRICS = "metrics"  # scrape /metrics, and nothing else
    READ = "read"  # see everything
    OPERATE = "operate"  # acknowledge, mute, replay, reload: whatever is not GET or HEAD

    def covers(self, needed: "Role") -> bool:
        return ROLES.index(self) >= ROLES.index(needed)


ROLES = tuple(Role)
