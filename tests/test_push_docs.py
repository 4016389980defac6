"""docs/push.md agrees with the code."""

import re
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from monitor.config.config import Config
from monitor.push.request_batcher import MAX_SAMPLES
from monitor.push.samples import PUSHED_FAMILIES
from monitor.push.service import queue_path
from monitor.push.telemetry import PushTelemetry
from monitor.schema.types import ConfigContext

DOCS = (Path(__file__).parents[1] / "docs" / "push.md").read_text("utf-8")
(EXAMPLE,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)


def test_the_example_is_a_configuration_in_five_lines(tmp_path: Path) -> None:
    (tmp_path / "mimir-token").write_text("a-token")
    (push,) = Config.model_validate(yaml.safe_load(EXAMPLE), context=ConfigContext({}, tmp_path)).push
    assert f"`queue_megabytes` ({push.queue_megabytes})" in DOCS
    assert len(EXAMPLE.splitlines()) == 5


def test_every_family_that_is_pushed_is_documented() -> None:
    (sentence,) = re.findall(r"^`headroom_usage`,.*$", DOCS, re.MULTILINE)
    documented = re.findall(r"`(headroom_\w+)`", sentence)
    assert sorted(documented) == sorted(family.name for family, _ in PUSHED_FAMILIES)


def test_every_family_about_pushing_is_documented() -> None:
    registry = CollectorRegistry()
    PushTelemetry(registry)
    exported = {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}
    assert set(re.findall(r"`(headroom_push_\w+)`", DOCS)) == exported


def test_the_queue_is_documented() -> None:
    assert f"`{queue_path(Path('headroom.db'))}` for `headroom.db`" in DOCS
    assert f"at most {MAX_SAMPLES:,} samples" in DOCS
