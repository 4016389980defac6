"""Declared scans of responses whose ids, names, times or numbers have a wrong type."""

import json
from typing import Any

import pytest

from collectors.base import Unobservable
from tests.collectors.declared_runs import Run, run

VOLUMES = """
service: demo
namespace: AWS/EBS
metrics:
  VolumeStalledIOCheck: {stat: Sum, dimensions: {VolumeId: "{volume}", Snapshot: "{snapshot}"}}
resources:
  volume:
    list: {call: ec2.DescribeVolumes, items: Volumes}
    id: VolumeId
    facts: {size: Size, snapshot: SnapshotId, encrypted: Encrypted, made: CreateTime, attached: Attachments}
    created: made
  attachment:
    parent: volume
    list: {fact: attached}
    id: InstanceId
    facts: {attached_at: AttachTime}
    created: attached_at
signals:
  size: {resource: volume, usage: size, throttled: rate(VolumeStalledIOCheck)}
  attachments: {resource: attachment, usage: 1}
"""
VOLUME = {"VolumeId": "vol-1", "Size": 8, "Encrypted": True, "CreateTime": "2026-01-01T00:00:00Z"}


async def run_with_volume(text: str, **members: Any) -> Run:
    """Run a declaration over VOLUME with these members added or replaced."""
    return await run(text, describe_volumes={"Volumes": [VOLUME | members]})


@pytest.mark.parametrize("identity", ["Encrypted", "SnapshotId", "Tags", "Attachments"])
async def test_an_item_whose_id_is_no_text_and_no_number_is_a_failure(identity: str) -> None:
    text = VOLUMES.replace("id: VolumeId", f"id: {identity}")
    result = await run_with_volume(text, SnapshotId="", Attachments=[{"InstanceId": "i-1"}])
    assert result.usage == {}
    assert len(result.failures) == 1


async def test_a_name_and_a_zone_that_are_no_texts_are_left_out() -> None:
    result = await run_with_volume(VOLUMES.replace("created: made", "name: Size\n    zone: size"))
    resource = result.observed["size vol-1"].resource
    assert (resource.display_name, resource.zone) == ("vol-1", "")


async def test_a_part_without_a_creation_time_has_the_creation_time_of_its_parent() -> None:
    part = {"InstanceId": "i-1", "AttachTime": "2026-01-02T00:00:00Z"}
    result = await run_with_volume(VOLUMES, Attachments=[part])
    made, attached_at = (result.observed[name].created_at for name in ("size vol-1", "attachments vol-1/i-1"))
    assert made and attached_at == made + 86_400
    result = await run_with_volume(VOLUMES.replace("    created: attached_at\n", ""), Attachments=[part])
    assert result.observed["attachments vol-1/i-1"].created_at == made


@pytest.mark.parametrize("usage", ["size > 5", "encrypted", "snapshot"])
async def test_a_usage_that_is_no_number_is_reported_for_the_resource(usage: str) -> None:
    result = await run_with_volume(VOLUMES.replace("usage: size,", f"usage: {usage},"), SnapshotId="snap-1")
    assert "size vol-1" not in result.usage
    assert [failure.partition(":")[0] for failure in result.failures] == ["vol-1"]


@pytest.mark.parametrize("usage", ["sum(one.size for one in volume)", "max(one.size for one in volume)"])
async def test_a_value_that_is_no_number_makes_its_aggregate_unobservable(usage: str) -> None:
    text = f"{VOLUMES}  total_size: {{usage: {usage}}}\n"
    text = text.replace("size: Size", "size: SnapshotId || Size")
    volume_with_text = VOLUME | {"VolumeId": "vol-2", "SnapshotId": "snap-2"}
    result = await run(text, describe_volumes={"Volumes": [VOLUME, volume_with_text]})
    total_size = result.observed["total_size"].usage
    assert isinstance(total_size, Unobservable) and total_size.reason.startswith("not all could be read: ")
    assert result.usage["size vol-1"] == 8
    result = await run(text, describe_volumes={"Volumes": [VOLUME]})
    assert result.usage["total_size"] == 8


async def test_throttled_demand_with_a_dimension_that_aws_does_not_return_is_unknown() -> None:
    result = await run_with_volume(VOLUMES)
    assert (result.usage["size vol-1"], result.observed["size vol-1"].throttled) == (8.0, None)
    assert (await run_with_volume(VOLUMES, SnapshotId="snap-1")).observed["size vol-1"].throttled


async def test_a_usage_that_is_no_number_affects_no_other_signal_and_no_count() -> None:
    text = VOLUMES.replace("signals:\n", "signals:\n  volumes: {usage: count(volume)}\n")
    text = text.replace("attachments: {", "encrypted: {resource: volume, usage: encrypted}\n  attachments: {")
    result = await run_with_volume(text, Attachments=[{"InstanceId": "i-1"}])
    assert result.usage == {"volumes": 1.0, "size vol-1": 8.0, "attachments vol-1/i-1": 1.0}
    assert result.failures == ["vol-1: ExpressionError"]


async def test_a_value_that_cannot_be_computed_affects_only_series_that_need_the_value() -> None:
    text = VOLUMES.replace("    created: made\n", "    values: {double: snapshot * 2, more: double + 1}\n")
    text = text.replace("signals:\n", "signals:\n  more: {resource: volume, usage: more}\n")
    result = await run_with_volume(text, SnapshotId="snap-1")
    assert result.usage == {"size vol-1": 8.0}
    assert result.failures == ["vol-1: ExpressionError"]


@pytest.mark.parametrize("time", ["", "yesterday", ["2026-01-01"], {}])
async def test_a_resource_whose_creation_time_is_no_time_is_of_unknown_age(time: Any) -> None:
    text = VOLUMES.replace("made: CreateTime", f"made: '`{json.dumps(time)}`'")
    result = await run_with_volume(text)
    assert (result.observed["size vol-1"].created_at, result.failures) == (None, [])


async def test_an_answer_of_a_wrong_type_is_reported_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = VOLUMES.replace("id: VolumeId", "id: VolumeId\n    where: \"Size > '7'\"")
    result = await run_with_volume(text.replace("usage: size,", "usage: snapshot,"), SnapshotId="snap-1")
    assert result.failures == ["vol-1: ExpressionError"]
    assert [record for record in caplog.records if record.exc_info] == []
