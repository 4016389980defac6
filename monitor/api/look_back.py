"""The route of the look-back: past episodes, by the usage and the notices that Headroom has stored."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from monitor.api.app_state import AppState
from monitor.api.models import ApiModel, ListModel, NumberOrNull, Utf8Text
from monitor.fleet.snapshot import Snapshot
from monitor.lookback.stored_episodes import StoredEpisode, StoredLookback

MAX_EPISODES_LISTED = 10_000


class EpisodeNoticeModel(ApiModel):
    """A notice of an episode."""

    at: datetime = Field(description="The time at which the alert changed.")
    change: str = Field(description="The change: `firing`, `worsened`, `eased`, `resolved` or `repeated`.")
    severity: str
    zone: str
    summary: Utf8Text


class EpisodeModel(ApiModel):
    """A time in which a series was near its limit or throttled."""

    series_id: str
    account: str
    region: str
    service: str
    signal: str
    resource: Utf8Text
    kind: Literal["throttled", "near"] = Field(
        description="`throttled` if demand was refused or delayed, else `near`."
    )
    begin: datetime = Field(description="The first minute of the episode.")
    end: datetime = Field(
        description="The minute after the last minute of the episode; the newest minute if the episode is "
        "ongoing."
    )
    minutes: int = Field(description="The duration in minutes.")
    ongoing: bool = Field(description="True if the episode has not ended.")
    peak_utilization: NumberOrNull = Field(
        description="The highest usage divided by the present limit; null when usage or limit is unknown."
    )
    usage: NumberOrNull = Field(
        description="The highest usage in `unit`, with throttled demand if AWS counts both; null when it is "
        "unknown."
    )
    limit: NumberOrNull = Field(
        description="The present limit in `unit`, as past limits are not stored; null when it is unknown."
    )
    unit: str
    throttled: NumberOrNull = Field(
        description="The highest throttled demand in the episode's notices, per second; null if no notice "
        "has any. `headroom lookback` reads all throttled demand from CloudWatch."
    )
    notices: list[EpisodeNoticeModel] = Field(
        description="The notices from the begin of the episode until an hour after its end."
    )


class LookbackModel(ListModel):
    """Episodes of the last days, the newest first, by the stored usage and the journal."""

    items: Sequence[EpisodeModel]
    begin: datetime = Field(description="The first minute of the look-back.")
    end: datetime = Field(description="The minute after the last minute of the look-back.")
    series: int = Field(description="The number of series with a history of usage.")
    known_days: float = Field(description="The number of days with known usage, summed over all series.")
    has_journal: bool = Field(
        description="False while the journal cannot be read, so that notices are missing."
    )


class LookbackQuery(BaseModel):
    """The parameters of the look-back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: int = Field(default=14, ge=1, le=14, description="The number of days to look back.")
    account: str | None = Field(default=None, description="The 12-digit id of the account.")
    region: str | None = Field(default=None, description="The region, such as eu-west-1.")
    service: str | None = Field(default=None, description="The service, such as kinesis.")
    limit: int = Field(
        default=1000,
        ge=1,
        le=MAX_EPISODES_LISTED,
        description="The highest number of episodes in the answer.",
    )

    def matches(self, episode: StoredEpisode) -> bool:
        """Return whether an episode fits the parameters."""
        key = episode.series.key
        pairs = ((self.account, key.account), (self.region, key.region), (self.service, key.service))
        return all(given is None or given == actual for given, actual in pairs)


def look_back_router(state: AppState) -> APIRouter:
    """Return the route of /api/v1/look-back."""
    router = APIRouter(prefix="/api/v1", tags=["Foresight"])

    @router.get("/look-back", response_model=LookbackModel, summary="List past episodes")
    async def list_episodes(query: Annotated[LookbackQuery, Query()]) -> Response:
        """List past episodes in which series were near their limits or throttled, with their notices.

        The list is made of the data that this Headroom has stored: the highest usage of each quarter of an
        hour of 14 days, compared with the present limit, and the notices in its journal. AWS is not called,
        so the list costs nothing. `headroom lookback` reads each minute from CloudWatch.
        """
        stored = await state.look_back(query.days)
        body = await asyncio.to_thread(_json, stored, state.exposition.snapshot, query)
        return Response(body, media_type="application/json")

    return router


def _json(stored: StoredLookback, snapshot: Snapshot, query: LookbackQuery) -> str:
    episodes = [episode for episode in stored.episodes if query.matches(episode)]
    return LookbackModel(
        begin=_time(stored.minutes.start),
        end=_time(stored.minutes.stop),
        series=stored.series,
        known_days=round(stored.known_days, 1),
        items=[*_models(episodes[: query.limit], snapshot)],
        total=len(episodes) + stored.unlisted_episode_count,
        has_journal=stored.has_journal,
    ).model_dump_json()


def _models(episodes: list[StoredEpisode], snapshot: Snapshot) -> Iterator[EpisodeModel]:
    for episode in episodes:
        key, limit = episode.series.key, float(snapshot.limit[episode.series.slot])
        yield EpisodeModel(
            series_id=key.id,
            account=key.account,
            region=key.region,
            service=key.service,
            signal=key.signal,
            resource=key.resource,
            kind="throttled" if episode.is_throttled else "near",
            begin=_time(episode.begin),
            end=_time(episode.end),
            minutes=episode.end - episode.begin,
            ongoing=episode.ongoing,
            peak_utilization=episode.peak(limit),
            usage=episode.known_usage,
            limit=limit if limit > 0 else None,
            unit=episode.series.settings.signal.unit.name,
            throttled=episode.throttled,
            notices=[
                EpisodeNoticeModel(
                    at=datetime.fromtimestamp(notice.at, UTC),
                    change=notice.kind,
                    severity=notice.severity,
                    zone=notice.zone,
                    summary=notice.summary,
                )
                for notice in episode.notices
            ],
        )


def _time(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
