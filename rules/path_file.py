"""The model of `paths.yaml`, in which users declare request paths; each path is checked as a whole."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from rules.hops import HopKind, PathModelBase, hop_kinds
from rules.model_file import FileProblem, ModelFile, error_at, parse_model
from rules.path_order import order_of
from rules.problem_text import suggestion
from rules.strict_yaml import DocumentPath

MAX_PATHS = 100
MAX_HOPS = 50  # in a path
MAX_NAME_LENGTH = 64


def _integer_as_text(value: Any) -> Any:
    """Convert an integer to text: the ids of accounts consist of digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_service(value: str) -> str:
    known = [*hop_kinds()]
    if value not in known:
        expected = f"expected one of {', '.join(known)}"
        raise error_at((), f"{expected}, found {value!r}{suggestion(value, known)}")
    return value


PathText = Annotated[str, BeforeValidator(_integer_as_text), Field(min_length=1, max_length=2048)]
HopService = Annotated[str, AfterValidator(_check_service)]
# The length is no part of the pattern: a bounded repetition of `\w` takes 6 MiB of memory.
RequestPathName = Annotated[
    str,
    BeforeValidator(_integer_as_text),
    Field(pattern=r"^\w[\w .:@+-]*$", max_length=MAX_NAME_LENGTH),
]
PathNumber = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False, strict=True)]


class Hop(PathModelBase):
    """A resource in a request path.

    service: a service in `hops.yaml`.
    resource: the name or id of the resource, after those of its parents; optional if all limits of the hop
        are limits of the account.
    name: the name of the hop for other hops and on pages; by default `resource`.
    account, region: of the resource; by default those of the path.
    after: the names of the hops that this hop follows, its predecessors; by default the hop before it.
    per_request: units of this hop for each request at the entrance.
    per_unit: units of this hop for each unit of its predecessors.
    batch: units of its predecessors for each unit of this hop.
    uses: by signal, the amount of the limit that one unit uses.
    """

    service: HopService
    resource: PathText = ""
    name: PathText | None = None
    account: PathText | None = None
    region: PathText | None = None
    after: tuple[PathText, ...] | None = None
    per_request: PathNumber | None = None
    per_unit: PathNumber | None = None
    batch: PathNumber | None = None
    uses: Mapping[PathText, PathNumber] = {}

    @property
    def effective_name(self) -> str:
        """The name by which other hops refer to this hop."""
        return self.name or self.resource or self.service

    @property
    def units_per_unit(self) -> float | None:
        """The declared number of units for each unit of its predecessors; None if it is not declared."""
        return 1 / self.batch if self.batch else self.per_unit


class RequestPath(PathModelBase):
    """A chain of resources that a request goes through, with branches.

    account, region: of the hops that declare none.
    """

    name: RequestPathName
    account: PathText | None = None
    region: PathText | None = None
    hops: tuple[Hop, ...] = Field(min_length=1, max_length=MAX_HOPS)

    @property
    def predecessors(self) -> Mapping[str, Sequence[str]]:
        """The names of the hops that each hop follows, by the name of the hop."""
        names = [hop.effective_name for hop in self.hops]
        default_predecessors = [(), *((name,) for name in names)]
        return {
            hop.effective_name: default_predecessors[place] if hop.after is None else hop.after
            for place, hop in enumerate(self.hops)
        }

    @property
    def ordered_hops(self) -> list[Hop]:
        """The hops, each after all hops that it follows; the first hop is the entrance."""
        by_name = {hop.effective_name: hop for hop in self.hops}
        return [by_name[name] for name in order_of(self.predecessors)[0]]


class PathFile(PathModelBase):
    """The content of a file with request paths."""

    paths: tuple[RequestPath, ...] = Field(max_length=MAX_PATHS)


def parse_paths(content: bytes, name: str) -> ModelFile[PathFile]:
    """Read request paths from the content of a file; all of its problems are reported at once."""
    return parse_model(content, name, PathFile, path_problems)


def path_problems(file: PathFile) -> Iterator[FileProblem]:
    """Yield the problems that the validators of single fields cannot find."""
    first_place: dict[str, int] = {}
    for place, path in enumerate(file.paths):
        if (earlier_place := first_place.setdefault(path.name, place)) != place:
            yield ("paths", place, "name"), f"expected another name than path {earlier_place}"
        for where, sentence in _problems_of(path):
            yield ("paths", place, *where), sentence


def _problems_of(path: RequestPath) -> Iterator[FileProblem]:
    kinds = hop_kinds()
    for place, hop in enumerate(path.hops):
        for where, sentence in _hop_problems(hop, kinds[hop.service]):
            yield ("hops", place, *where), sentence
    names = Counter(hop.effective_name for hop in path.hops)
    repeated = [name for name, number in names.items() if number > 1]
    for name in repeated:
        second_place = [place for place, hop in enumerate(path.hops) if hop.effective_name == name][1]
        yield ("hops", second_place, "name"), f"expected a name that no other hop has, found {name} again"
    unknown = [*_unknown_hops(path, [*names])]
    yield from unknown
    if not unknown and not repeated:
        yield from _shape_problems(path)


def _hop_problems(hop: Hop, kind: HopKind) -> Iterator[FileProblem]:
    if not hop.resource and any(limit.of == "resource" for limit in kind.limits.values()):
        yield ("resource",), f"missing: the {kind.title} that the requests go through"
    for signal in hop.uses:
        if signal not in kind.limits:
            hint = suggestion(signal, kind.limits)
            expected = f"expected a limit of the hop, one of {', '.join(kind.limits) or 'none'}"
            yield ("uses", signal), f"{expected}, found {signal!r}{hint}"
    rates = _declared_rates(hop)
    if len(rates) > 1:
        yield (rates[1],), f"expected one of {' and '.join(rates)}, as they say the same"


def _declared_rates(hop: Hop) -> list[str]:
    """Return the fields of a hop that declare its units for each request or unit before it."""
    return [name for name in ("per_request", "per_unit", "batch") if getattr(hop, name) is not None]


def _unknown_hops(path: RequestPath, names: Sequence[str]) -> Iterator[FileProblem]:
    for place, hop in enumerate(path.hops):
        for number, name in enumerate(hop.after or ()):
            if name not in names:
                where: DocumentPath = ("hops", place, "after", number)
                yield where, f"expected the name of a hop, found {name!r}{suggestion(name, names)}"


def _shape_problems(path: RequestPath) -> Iterator[FileProblem]:
    cycle = order_of(path.predecessors)[1]
    if cycle:
        yield ("hops",), f"expected a path without a cycle, found {' -> '.join(cycle)}"
        return
    entrances = [name for name, predecessors in path.predecessors.items() if not predecessors]
    if len(entrances) > 1:
        yield ("hops",), f"expected one entrance, found {len(entrances)}: {', '.join(entrances)}"
    entrance = path.ordered_hops[0]
    place = path.hops.index(entrance)
    for name in _declared_rates(entrance):
        yield ("hops", place, name), "expected none at the entrance: its requests are counted"
    if not hop_kinds()[entrance.service].flow:
        entrance_services = [service for service, kind in hop_kinds().items() if kind.flow]
        expected = f"expected a service whose requests are counted, one of {', '.join(entrance_services)}"
        yield ("hops", place, "service"), f"{expected}, as the entrance; found {entrance.service}"
