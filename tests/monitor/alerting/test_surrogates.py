"""Lone surrogates: alerts with them in labels are sent and stored; configurations with them are invalid."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.alerting.journal import Journal
from monitor.config.file import parse_config
from monitor.schema.problems import ConfigError
from monitor.schema.types import ConfigContext
from tests.monitor.alerting.harness import SHORT, AlertingHarness
from tests.monitor.fleet.fleets import ACCOUNT

SURROGATE = "\ud800"  # half of a surrogate pair, which UTF-8 cannot encode
texts_with_surrogates = st.text(st.characters(codec=None), min_size=1, max_size=8).map(
    lambda text: f"{SURROGATE}{text}"
)


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(texts_with_surrogates, texts_with_surrogates, texts_with_surrogates)
async def test_alerts_with_lone_surrogates_are_sent_and_survive_a_restart(
    tmp_path: Path, account_name: str, tag: str, label: str
) -> None:
    folder = tmp_path / "journal"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    async with AlertingHarness.opened(folder) as harness:
        harness.account_names = {ACCOUNT: account_name}
        harness.series("orders", replace(SHORT, tags={label: tag}))
        sent_letters = await harness.run_minutes(orders="....cccc")
        assert "F" in sent_letters  # the letter of a notice that an alert fires
        alerts_before = dict(harness.engine.alerts)
        assert isinstance(harness.store, Journal) and harness.store.failure is None
    async with AlertingHarness.opened(folder, minute=harness.minute) as restarted:
        assert restarted.engine.alerts == alerts_before
        assert isinstance(restarted.store, Journal) and restarted.store.unusable_count == 0


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
def test_the_problems_of_a_configuration_with_a_lone_surrogate_or_nul_can_be_encoded(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), "headroom.yaml", ConfigContext())
    for problem in caught.value.problems:
        problem.encode()  # raises UnicodeEncodeError for a lone surrogate
