"""How the monitor fares, as the API asks it: plain facts, filled in by what watches."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.aws import Failure
from monitor.inventory import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CellStatus:
    """One account in one region; `name` is the account's. `collectors`: the last inventory by service."""

    account: str
    region: str
    name: str
    collectors: Mapping[str, Outcome]
    poll: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """When the configuration was last read again, in epoch seconds; `error` says why it was refused."""

    at: float
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the API is told, as it is at one moment: nothing in it is changed afterwards.

    cells: every cell that could be opened. shut: accounts that did not let us in, by what they are called.
    waited_for: what has not been read yet, in words. judged: whether all was, once, after it had been read.
    last_reload: None when the configuration was never reloaded.
    """

    cells: Sequence[CellStatus] = ()
    shut: Mapping[str, Failure] = field(default_factory=dict)
    waited_for: Sequence[str] = ()
    judged: bool = True
    last_reload: Reload | None = None

    @property
    def ready(self) -> bool:
        """Whether what the API tells is all there is."""
        return self.judged and not self.waited_for

    @property
    def all_seen(self) -> bool:
        """Whether there is nothing that was not looked at with success."""
        looks = (one for cell in self.cells for one in cell.collectors.values())
        return not self.shut and not self.waited_for and all(one.succeeded for one in looks)

    def has_seen(self, labels: Mapping[str, str]) -> bool:
        """Whether the place of a series was looked at with success."""
        looks = (cell.collectors.get(labels["service"]) for cell in self._cells_of(labels))
        return any(look is not None and look.succeeded is not None for look in looks)

    def ignores(self, labels: Mapping[str, str], services: Container[str]) -> bool:
        """Whether nobody watches the place of a series any more. services: those that are watched."""
        watched = any(self._cells_of(labels)) and labels["service"] in services
        return not self.shut and not self.waited_for and not watched

    def _cells_of(self, labels: Mapping[str, str]) -> Iterator[CellStatus]:
        place = labels["account"], labels["region"]
        return (cell for cell in self.cells if (cell.account, cell.region) == place)
