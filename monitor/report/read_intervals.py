"""The intervals at which metrics are read, as a projection of the cost needs them."""

from dataclasses import dataclass

from monitor.config.config import Config


@dataclass(frozen=True, slots=True)
class ReadIntervals:
    """The intervals at which metrics are read, in seconds.

    longest, throttled: between two requests for a metric of usage (longest) or of throttled demand
    (throttled), while the series is far from its limit. streamed: services that a Metric Stream delivers.
    """

    longest: float
    throttled: float
    streamed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, config: Config) -> "ReadIntervals":
        """Return the configured intervals."""
        return cls(config.longest_interval, config.longest_throttled_interval)

    @property
    def is_every_minute(self) -> bool:
        """True if all metrics are read every minute."""
        return max(self.longest, self.throttled) <= 60  # noqa: PLR2004
