"""What docs/push.md says is what the product does."""

import re
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from monitor.config import Config
from monitor.config_types import Sources
from monitor.push.batches import MOST_SAMPLES
from monitor.push.push import beside
from monitor.push.samples import PUSHED
from monitor.push.telemetry import PushTelemetry

DOCS = (Path(__file__).parents[1] / "docs" / "push.md").read_text("utf-8")
(EXAMPLE,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)


def test_the_example_is_a_configuration_in_five_lines(tmp_path: Path) -> None:
    (tmp_path / "mimir-token").write_text("a-token")
    (push,) = Config.model_validate(yaml.safe_load(EXAMPLE), context=Sources({}, tmp_path)).push
    assert f"`queue_megabytes` ({push.queue_megabytes})" in DOCS
    assert len(EXAMPLE.splitlines()) == 5


def test_every_family_that_is_pushed_is_told() -> None:
    (sentence,) = re.findall(r"^`headroom_usage`,.*$", DOCS, re.MULTILINE)
    told = re.findall(r"`(headroom_\w+)`", sentence)
    assert sorted(told) == sorted(family.name for family, _ in PUSHED)


def test_every_family_about_pushing_is_told() -> None:
    registry = CollectorRegistry()
    PushTelemetry(registry)
    exported = {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}
    assert set(re.findall(r"`(headroom_push_\w+)`", DOCS)) == exported


def test_where_it_waits_is_told() -> None:
    assert f"`{beside(Path('headroom.db'))}` for `headroom.db`" in DOCS
    assert f"at most {MOST_SAMPLES:,} samples" in DOCS
