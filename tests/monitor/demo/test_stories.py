"""The series of the demo's declared services, which follow their stories."""

import time
from pathlib import Path

import numpy as np
import pytest

import collectors
from monitor.demo.region import ACCOUNT
from monitor.demo.story_file import STORY_FOLDER, StoryFile, read_story_files
from monitor.demo.story_reader import read_stories
from monitor.demo.world import REGIONS
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.monitor.demo import made_up, served_stories
from tests.registries import REGISTRY

FILES = read_story_files(STORY_FOLDER)
MINUTES = np.arange(-180, 60)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    set_aws_environment(monkeypatch, CREDENTIALS)


# As in the process of the demo: AWS denies calls with codes that are not in its models.
pytestmark = pytest.mark.filterwarnings("ignore:Exception.* does not match an error shape")


async def test_headroom_judges_each_series_as_its_story_expects() -> None:
    regions = [region.name for region in REGIONS if region.account == ACCOUNT and not region.denied]
    served = await served_stories.serve_and_read(FILES, REGISTRY, regions, int(time.time() // 60) - 1)
    series = list(served.series())
    assert any(served_stories.is_throttled(storied_series) for _, storied_series in series)
    assert [
        difference
        for region, storied_series in series
        for difference in served_stories.differences(served, region, storied_series)
    ] == []


async def test_a_service_with_a_declaration_and_stories_needs_no_code() -> None:
    served = await served_stories.serve_and_read(
        [made_up.stories()], made_up.registry(), ["eu-west-1"], int(time.time() // 60) - 1
    )
    series = list(served.series())
    assert len(series) == 10
    assert [
        storied_series.name for _, storied_series in series if served_stories.is_throttled(storied_series)
    ] == ["brokers connections media"]
    assert [
        difference
        for region, storied_series in series
        for difference in served_stories.differences(served, region, storied_series)
    ] == []
    rows = {f"{row.key.signal} {row.key.resource}": row for row in served.report.rows}
    nodes_of_media = rows["nodes media"]
    assert (nodes_of_media.usage, nodes_of_media.limit) == (3, 4)
    assert nodes_of_media.source == "quota_applied"
    assert rows["nodes private"].usage is None
    assert any(
        "ListNodes" in failure and "private" in failure for failure in served.report.failures.by_failure
    ), served.report.failures


SERVICES_WITH_METRICS = {collector.service for collector in REGISTRY.collectors if collector.metrics}


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if file.stories.service in SERVICES_WITH_METRICS],
    ids=lambda file: file.stories.service,
)
async def test_a_service_has_a_story_within_the_band_and_one_near_or_above_its_limit(file: StoryFile) -> None:
    world = {region.name: region for region in REGIONS if region.account == ACCOUNT}
    book = await read_stories([file], served_stories.registry_of([file], REGISTRY), world)
    demands = [
        storied_series.traffic.demand(storied_series.name, MINUTES)
        for region in book.regions.values()
        for storied_series in region.series.values()
    ]
    assert any(((demand > 0.4) & (demand < 0.7)).all() for demand in demands)
    assert any(demand.max() > 0.9 for demand in demands)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_of_stories_has_the_name_of_a_declared_service(file: StoryFile) -> None:
    declared_services = {path.stem for path in Path(collectors.__file__).parent.glob("*.yaml")}
    assert file.stories.service in declared_services
    assert file.name == f"{file.stories.service}.yaml"
