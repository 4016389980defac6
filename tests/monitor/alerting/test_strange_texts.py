"""Names that are not valid UTF-8, wherever they come from: their alerts are sent and stored."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.alerting.journal import Journal
from monitor.config.file import parse_config
from monitor.schema.problems import ConfigError
from monitor.schema.types import ConfigContext
from tests.monitor.alerting.stage import SHORT, Stage
from tests.monitor.fleet.fleets import ACCOUNT

HALF = "\ud800"
strange = st.text(st.characters(codec=None), min_size=1, max_size=8).map(lambda text: f"{HALF}{text}")


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(strange, strange, strange)
async def test_alerts_of_strange_names_are_reported_and_survive(
    tmp_path: Path, name: str, tag: str, label: str
) -> None:
    folder = tmp_path / "journal"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    async with Stage.opened(folder) as stage:
        stage.account_names = {ACCOUNT: name}
        stage.series("orders", replace(SHORT, tags={label: tag}))
        assert "F" in await stage.play(orders="....cccc")
        alerts_before = dict(stage.engine.alerts)
        assert isinstance(stage.store, Journal) and stage.store.healthy
    async with Stage.opened(folder, minute=stage.minute) as again:
        assert again.engine.alerts == alerts_before
        assert isinstance(again.store, Journal) and again.store.rejected_count == 0


@pytest.mark.parametrize(
    "text",
    [
        r'receivers: [{name: "\ud800", type: webhook, url: "https://x"}]',
        r'accounts: [{name: "\ud800"}]',
        r'links: {runbook: "https://x/\ud800"}',
        r'route: {receiver: "\ud800"}',
        r'tags: ["\ud800"]',
        r'overrides: [{resource: "\ud800", limit: 1}]',
        r'journal: "\ud800"',
        r'journal: "a\0b"',
        r'"\ud800": 1',
    ],
)
def test_a_configuration_with_half_of_a_surrogate_pair_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(text.encode(), "headroom.yaml", ConfigContext())
    for problem in refused.value.problems:
        problem.encode()
