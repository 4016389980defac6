"""The routes of request paths."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import Field

from monitor.api.app_state import AppState
from monitor.api.models import ApiModel, ErrorModel, ListModel, NumberOrNull, Utf8Text
from monitor.fleet.key import LABELS
from monitor.fleet.query import ZoneWord
from monitor.lib.text import short_line
from monitor.topology.path_status import HopStatus, LimitStatus, PathStatus, PathStatuses
from rules.problem_text import suggestion

PathNameParameter = Annotated[str, Path(description="The name of the path in its file.")]


class PathLimitModel(ApiModel):
    """A limit on a request path."""

    hop: int = Field(description="The number of the limit's hop in `hops`, from 0.")
    series_id: str = Field(description="The id of the series of the limit.")
    account: str
    region: str
    service: str
    signal: str
    resource: Utf8Text = Field(
        description="The name of the resource; empty for a limit of the whole account."
    )
    title: str = Field(description="The title of the signal: what is limited.")
    zone: ZoneWord
    usage: NumberOrNull = Field(
        description="The usage of the limit in `unit`, by this path and everything else."
    )
    limit: NumberOrNull = Field(description="The limit in `unit`.")
    inferred: bool = Field(
        description="True if `limit` is inferred: the usage at which demand was throttled in the last 14 "
        "days."
    )
    unit: str
    per_request: NumberOrNull = Field(description="The usage by one request at the entrance, in `unit`.")
    capacity: NumberOrNull = Field(
        description="The requests per second at the entrance at which the limit is reached; null when that "
        "is unknown, or when requests do not use the limit."
    )
    used: bool | None = Field(
        description="False if requests do not use the limit; null when that is unknown."
    )
    throttled: NumberOrNull = Field(description="The demand that is refused or delayed, per second.")
    reason: Utf8Text = Field(
        description="The unknown facts about the limit, in a sentence; empty when all are known."
    )


class PayloadModel(ApiModel):
    """The largest payload that a hop accepts."""

    bytes: int = Field(description="The maximum size in bytes.")
    what: str = Field(description="The limit on the size, in words.")
    source: str = Field(description="The URL of AWS's page about the limit.")


class PathHopModel(ApiModel):
    """A resource on a request path."""

    name: Utf8Text = Field(description="The name of the hop in the file.")
    service: str
    resource: Utf8Text = Field(
        description="The name or id of the resource in the file; empty for the account's limits alone."
    )
    account: str = Field(description="The 12-digit id of the account; empty when the resource was not found.")
    region: str = Field(description="The region; empty when the resource was not found.")
    after: Sequence[int] = Field(
        description="The numbers, in `hops`, of the hops that this hop's flow comes from."
    )
    unit: str = Field(description="The unit of the hop's flow, such as requests, messages or records.")
    flow: NumberOrNull = Field(
        description="How many of the hop's units, such as messages, pass through the hop per second now."
    )
    per_request: NumberOrNull = Field(
        description="How many of the hop's units one request at the entrance causes."
    )
    basis: str = Field(
        description="The basis of `per_request`: `entrance`, `declared`, `measured` (the mean of three "
        "hours) or `assumed`; empty when it is unknown."
    )
    each: Mapping[str, NumberOrNull] = Field(
        description="The measured properties of a single unit by name, such as its duration in seconds."
    )
    payload: PayloadModel | None = Field(
        description="The largest payload that the hop accepts; null when AWS documents none."
    )
    known: bool = Field(description="False if something about the hop is unknown; see `reasons`.")
    reasons: Sequence[Utf8Text] = Field(description="The unknown facts about the hop, in sentences.")
    limits: Sequence[PathLimitModel] = Field(description="The limits of the hop that requests can reach.")


class PathModel(ApiModel):
    """A request path. Rates are per second, in `unit`, at its entrance."""

    name: Utf8Text = Field(description="The name of the path in the file.")
    unit: str = Field(description="The unit at the entrance, such as requests.")
    zone: ZoneWord = Field(description="The worst zone of the path's limits.")
    flow: NumberOrNull = Field(description="The flow at the entrance now.")
    capacity: NumberOrNull = Field(
        description="The highest flow that the path can carry: the flow at which its weakest limit is "
        "reached."
    )
    at_most: bool = Field(
        description="True if a limit is unknown, so that the path may carry less than `capacity`."
    )
    headroom: NumberOrNull = Field(description="`capacity` minus `flow`.")
    weakest: PathLimitModel | None = Field(
        description="The limit that is reached first; null when it is not known."
    )
    next: PathLimitModel | None = Field(
        description="The limit that is reached first once `weakest` is raised; null when there is none."
    )
    payload: PayloadModel | None = Field(
        description="The smallest of the hops' largest payloads; null when none is known."
    )
    reasons: Sequence[Utf8Text] = Field(description="The unknown facts about the path, in sentences.")


class PathDetailModel(PathModel):
    """A request path with its hops."""

    hops: Sequence[PathHopModel] = Field(
        description="The hops, in an order in which each follows the hops that its flow comes from."
    )


class PathListModel(ListModel):
    """All request paths, in the order of the files."""

    items: Sequence[PathModel]


def paths_router(state: AppState) -> APIRouter:
    """Return the routes of the request paths."""
    router = APIRouter(prefix="/api/v1", tags=["Foresight"])

    @router.get("/paths", summary="List request paths")
    async def list_paths() -> PathListModel:
        """The request paths of the configuration: their flow, their capacity and their weakest limits."""
        items = [PathModel(**_path_fields(path)) for path in state.paths().items]
        return PathListModel(items=items, total=len(items))

    @router.get("/paths/{name}", responses={404: {"model": ErrorModel}}, summary="Get a request path")
    async def get_path(name: PathNameParameter) -> PathDetailModel:
        """One request path with its hops, and all limits that its requests run into."""
        path = find_path(state.paths(), name)
        return PathDetailModel(**_path_fields(path), hops=[_hop_model(hop) for hop in path.hops])

    return router


def find_path(paths: PathStatuses, name: str) -> PathStatus:
    """Return the path with a name. Raises HTTPException (404)."""
    found = next((path for path in paths.items if path.name == name), None)
    if found is None:
        hint = suggestion(name, [path.name for path in paths.items])
        raise HTTPException(
            404, f"no request path is called {short_line(name)}{hint}{_reason_for_no_paths(paths)}"
        )
    return found


def _reason_for_no_paths(paths: PathStatuses) -> str:
    """Return why there are no paths at all; empty if there are any."""
    if paths.items:
        return ""
    if paths.configured_count:
        return "; the paths are not evaluated yet, which takes some seconds after the start"
    return "; the configuration names no file with paths in `path_files`"


def _path_fields(path: PathStatus) -> dict[str, Any]:
    _, payload = path.payload or (None, None)
    return {
        "name": path.name,
        "unit": path.unit,
        "zone": path.zone.word,
        "flow": path.flow,
        "capacity": path.capacity,
        "at_most": path.is_upper_bound,
        "headroom": path.headroom,
        "weakest": _limit_model(path.weakest) if path.weakest else None,
        "next": _limit_model(path.next_weakest) if path.next_weakest else None,
        "payload": PayloadModel.model_validate(payload) if payload else None,
        "reasons": path.reasons,
    }


def _hop_model(status: HopStatus) -> PathHopModel:
    return PathHopModel(
        name=status.hop.effective_name,
        service=status.hop.service,
        resource=status.hop.resource,
        account=status.account,
        region=status.region,
        after=status.predecessors,
        unit=status.kind.unit,
        flow=status.flow,
        per_request=status.visits.number if isfinite(status.visits.number) else None,
        basis=status.visits.basis,
        each=status.measures,
        payload=PayloadModel.model_validate(status.payload) if status.payload else None,
        known=status.is_known,
        reasons=status.reasons,
        limits=[_limit_model(limit) for limit in status.limits],
    )


def _limit_model(status: LimitStatus) -> PathLimitModel:
    key, signal = status.series.key, status.series.settings.signal
    fields: dict[str, Any] = {
        **{name: getattr(key, name) for name in LABELS},
        "hop": status.hop,
        "series_id": key.id,
        "title": signal.title,
        "zone": status.zone.word,
        "usage": status.usage,
        "limit": status.limit,
        "inferred": status.is_inferred,
        "unit": signal.unit.name,
        "per_request": status.per_request,
        "capacity": status.capacity if status.is_reachable else None,
        "used": None if status.per_request is None else status.per_request > 0,
        "throttled": status.throttled,
        "reason": status.reason,
    }
    return PathLimitModel(**fields)
