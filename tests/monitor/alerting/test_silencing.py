"""Silences and acknowledgements, as the alert engine applies them.

The letters of samples and notices are explained in `harness`.
"""

from pathlib import Path

from monitor.alerting.records import Acknowledgement, Silence
from monitor.notifiers.notice import Severity
from tests.monitor.alerting.harness import AT_ONCE, AlertingHarness, configuration
from tests.monitor.alerting.memory_store import MemoryStore


def silence_of(harness: AlertingHarness, *matchers: str, duration: float) -> Silence:
    """Return a silence that begins now. duration: seconds."""
    return Silence(
        id="",
        matchers=matchers,
        starts=harness.seconds,
        ends=harness.seconds + duration,
        author="me",
        comment="a test",
    )


async def test_a_silenced_alert_is_notified_when_its_silence_ends(storage: Path | MemoryStore) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.process()
        await harness.engine.silences.add(
            silence_of(harness, 'resource="orders"', duration=600), harness.seconds
        )
        assert await harness.run_minutes(orders="..ccc", clicks="..ccc") == "....F"
        assert await harness.run_minutes(orders="c" * 5, clicks="c" * 5) == "....F"
        assert harness.engine.silences.stored == []


async def test_a_silence_does_not_suppress_the_resolution_of_a_notified_alert(
    storage: Path | MemoryStore,
) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="..ccc")
        stored = await harness.engine.silences.add(
            silence_of(harness, 'resource="orders"', duration=6000), harness.seconds
        )
        assert await harness.run_minutes(orders="s.") == ".."
        assert await harness.run_minutes(orders="." * 8) == "......R."
        assert await harness.run_minutes(orders="..ccc") == "....."
        await harness.engine.silences.end(stored.id)
        assert await harness.run_minutes(orders="c") == "F"


def acknowledgement_of(harness: AlertingHarness, until: float | None = None) -> Acknowledgement:
    """Return an acknowledgement of the only alert as a warning. until: epoch seconds; None for no end."""
    (alert,) = harness.engine.alerts
    return Acknowledgement(
        alert=alert, severity=Severity.WARNING, author="me", comment="on it", at=harness.seconds, until=until
    )


async def acknowledge(harness: AlertingHarness, until: float | None = None) -> None:
    """Acknowledge the only alert as a warning. until: epoch seconds; None for as long as it fires."""
    await harness.engine.silences.acknowledge(acknowledgement_of(harness, until))


async def test_each_change_of_silences_and_acknowledgements_wakes_the_engine() -> None:
    async with AlertingHarness.opened(MemoryStore()) as harness:
        await harness.run_minutes(orders="..ccc")
        engine, (alert,) = harness.engine, harness.engine.alerts
        silence = silence_of(harness, 'resource="orders"', duration=600)
        for change in (
            lambda: engine.acknowledge(acknowledgement_of(harness)),
            lambda: engine.unacknowledge(lambda stored: stored.alert == alert, harness.seconds),
            lambda: engine.acknowledge_new([acknowledgement_of(harness)]),
            lambda: engine.silence(silence, harness.seconds),
            lambda: engine.end_silence(engine.silences.stored[0].id),
        ):
            engine.wake.clear()
            await change()
            assert engine.wake.is_set()


async def test_an_acknowledged_alert_is_not_repeated_but_its_escalation_is_sent(
    storage: Path | MemoryStore,
) -> None:
    async with AlertingHarness.opened(
        storage, configuration(route={**AT_ONCE, "repeat_interval": 120})
    ) as harness:
        assert await harness.run_minutes(orders="..ccccc") == "....F.r"
        await acknowledge(harness)
        assert await harness.run_minutes(orders="cccccsss") == ".....W.r"
        assert "R" in await harness.run_minutes(orders="." * 12)
        assert harness.engine.silences.acknowledgements == {}


async def test_an_alert_is_repeated_after_its_acknowledgement_ends(storage: Path | MemoryStore) -> None:
    async with AlertingHarness.opened(
        storage, configuration(route={**AT_ONCE, "repeat_interval": 120})
    ) as harness:
        assert await harness.run_minutes(orders="..ccccc") == "....F.r"
        await acknowledge(harness, until=harness.seconds + 4 * 60)
        assert await harness.run_minutes(orders="cccccc") == "...r.r"


async def test_an_acknowledged_alert_is_still_repeated_to_alertmanager(
    storage: Path | MemoryStore,
) -> None:
    alertmanager = {"name": "am", "type": "alertmanager", "urls": ["https://example.org"]}
    async with AlertingHarness.opened(storage, configuration([alertmanager], route=AT_ONCE)) as harness:
        assert await harness.run_minutes(orders="..cccc") == "....Fr"
        await acknowledge(harness)
        assert await harness.run_minutes(orders="ccc") == "rrr"
        assert await harness.run_minutes(orders="...") == "rrR"
