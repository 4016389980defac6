"""The routes of request paths."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import BeforeValidator, Field

from monitor.api.app_state import AppState
from monitor.api.models import ApiModel, ErrorModel, Number
from monitor.fleet.key import LABELS
from monitor.fleet.query import ZoneWord
from monitor.lib.text import replace_surrogates, short_line
from monitor.topology.path_status import HopStatus, LimitStatus, PathStatus, PathStatuses
from rules.problem_text import suggestion

PathName = Annotated[str, Path(description="The name of the path in its file.")]
Utf8 = Annotated[str, BeforeValidator(replace_surrogates)]  # text with names that customers chose


class PathLimitModel(ApiModel):
    """A limit on a request path."""

    hop: int = Field(description="The number of its hop in `hops`, from 0.")
    series_id: str = Field(description="Of the series; empty for none.")
    account: str
    region: str
    service: str
    signal: str
    resource: Utf8 = Field(description="Empty for a limit of the whole account.")
    title: str = Field(description="What is limited, in words.")
    zone: ZoneWord
    usage: Number = Field(description="In `unit`, of all who use the limit.")
    limit: Number = Field(description="In `unit`.")
    inferred: bool = Field(
        description="True if `limit` is the usage at which demand was refused in the last 14 days."
    )
    unit: str
    per_request: Number = Field(description="What one request at the entrance uses of it, in `unit`.")
    capacity: Number = Field(
        description="Requests per second at the entrance at which it is reached; null where that is unknown, "
        "or no request uses any of it."
    )
    used: bool | None = Field(description="False if no request uses any of it; null where that is unknown.")
    throttled: Number = Field(description="Demand that is refused or delayed, per second.")
    reason: Utf8 = Field(description="What is unknown, in a sentence; empty if nothing is.")


class PayloadModel(ApiModel):
    """The largest payload that a hop accepts."""

    bytes: int = Field(description="The most that it may have.")
    what: str = Field(description="Of which AWS limits the size.")
    source: str = Field(description="AWS's page.")


class PathHopModel(ApiModel):
    """A resource on a request path."""

    name: Utf8 = Field(description="What it is called in the file.")
    service: str
    resource: Utf8
    account: str = Field(description="Empty where the resource was not found.")
    region: str
    after: Sequence[int] = Field(description="The numbers of the hops that it follows.")
    unit: str = Field(description="What is counted of it: requests, messages, records, ...")
    flow: Number = Field(description="Units per second now.")
    per_request: Number = Field(description="Units for each request at the entrance.")
    basis: str = Field(
        description="What `per_request` rests on: entrance, declared, measured (the mean of three hours) or "
        "assumed; empty where it is unknown."
    )
    each: Mapping[str, Number] = Field(description="What is measured of a unit: its duration, in seconds.")
    payload: PayloadModel | None = Field(
        description="The largest payload that it accepts; null where AWS tells none."
    )
    known: bool = Field(description="False if something of it is unknown, see `reasons`.")
    reasons: Sequence[Utf8] = Field(description="What is unknown, in sentences.")
    limits: Sequence[PathLimitModel] = Field(description="The limits that a request runs into here.")


class PathModel(ApiModel):
    """A request path. Rates are per second, in `unit`, at its entrance."""

    name: Utf8 = Field(description="As in the file.")
    unit: str
    zone: ZoneWord = Field(description="The worst zone of its limits.")
    flow: Number = Field(description="What flows now.")
    capacity: Number = Field(description="What it can carry: where its weakest limit is reached.")
    at_most: bool = Field(description="True if something is unknown, so that it may carry less.")
    headroom: Number = Field(description="`capacity` minus `flow`.")
    weakest: PathLimitModel | None = Field(
        description="The limit that is reached first; null where that is not known."
    )
    next: PathLimitModel | None = Field(description="The weakest limit once the weakest one is raised.")
    payload: PayloadModel | None = Field(description="The smallest of the largest payloads on the way.")
    reasons: Sequence[Utf8] = Field(description="What is unknown, in sentences.")


class PathDetailModel(PathModel):
    """A request path with its hops."""

    hops: Sequence[PathHopModel] = Field(description="Each after those that it follows.")


class PathListModel(ApiModel):
    """All request paths, in the order of the files."""

    items: Sequence[PathModel]
    total: int


def paths_router(state: AppState) -> APIRouter:
    """Return the routes of the request paths."""
    router = APIRouter(prefix="/api/v1", tags=["Foresight"])

    @router.get("/paths", summary="List request paths")
    async def list_paths() -> PathListModel:
        """The request paths of the configuration: their flow, their capacity and their weakest limits."""
        items = [PathModel(**_fields(path)) for path in state.paths().items]
        return PathListModel(items=items, total=len(items))

    @router.get("/paths/{name}", responses={404: {"model": ErrorModel}}, summary="Get a request path")
    async def get_path(name: PathName) -> PathDetailModel:
        """One request path with its hops, and all limits that its requests run into."""
        found = find_path(state.paths(), name)
        return PathDetailModel(**_fields(found), hops=[_hop(hop) for hop in found.hops])

    return router


def find_path(paths: PathStatuses, name: str) -> PathStatus:
    """Return the path with a name. Raises HTTPException (404)."""
    found = next((path for path in paths.items if path.name == name), None)
    if found is None:
        hint = suggestion(name, [path.name for path in paths.items])
        raise HTTPException(404, f"no request path is called {short_line(name)}{hint}{_why_none(paths)}")
    return found


def _why_none(paths: PathStatuses) -> str:
    """Return why there are no paths at all; empty if there are any."""
    if paths.items:
        return ""
    if paths.configured:
        return "; the paths are not evaluated yet, which takes some seconds after the start"
    return "; the configuration names no file with paths in `path_files`"


def _fields(path: PathStatus) -> dict[str, Any]:
    payload = path.payload
    return {
        "name": path.name,
        "unit": path.unit,
        "zone": path.zone.word,
        "flow": path.flow,
        "capacity": path.capacity,
        "at_most": path.is_upper_bound,
        "headroom": path.headroom,
        "weakest": _limit(path.weakest) if path.weakest else None,
        "next": _limit(path.next_weakest) if path.next_weakest else None,
        "payload": PayloadModel.model_validate(payload[1]) if payload else None,
        "reasons": path.reasons,
    }


def _hop(status: HopStatus) -> PathHopModel:
    return PathHopModel(
        name=status.hop.called,
        service=status.hop.service,
        resource=status.hop.resource,
        account=status.account,
        region=status.region,
        after=status.before,
        unit=status.kind.unit,
        flow=status.flow,
        per_request=status.visits.number if isfinite(status.visits.number) else None,
        basis=status.visits.basis,
        each=status.each,
        payload=PayloadModel.model_validate(status.payload) if status.payload else None,
        known=status.is_known,
        reasons=status.reasons,
        limits=[_limit(limit) for limit in status.limits],
    )


def _limit(status: LimitStatus) -> PathLimitModel:
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
