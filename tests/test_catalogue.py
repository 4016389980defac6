"""The catalogue, the collectors and their tests speak of the same signals."""

import ast
import re
import sys
from pathlib import Path

import pytest

from collectors import COLLECTORS
from collectors.base import Collector
from rules.limits import CATALOGUE, Kind, Signal, catalogue, signals

TESTS = Path(__file__).parent / "collectors"

each_collector = pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: collector.service)
each_signal = pytest.mark.parametrize("signal", list(signals()), ids=lambda signal: signal.id)


def source_of(collector: Collector) -> Path:
    """The file that declares a collector: the one its first part is written in."""
    return Path(str(sys.modules[collector.parts[0].__module__].__file__))


def texts(path: Path) -> list[str]:
    """The string constants of a file."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_every_service_of_the_catalogue_has_a_collector_and_the_other_way_round() -> None:
    services = [collector.service for collector in COLLECTORS]
    assert sorted(services) == sorted(catalogue())
    assert len(set(services)) == len(services)


def test_every_file_of_the_catalogue_is_named_like_its_service() -> None:
    assert {path.stem for path in CATALOGUE.iterdir()} == set(catalogue())


@each_collector
def test_a_collector_speaks_of_every_signal_of_its_service(collector: Collector) -> None:
    assert set(catalogue()[collector.service].signals) <= set(texts(source_of(collector)))


@each_collector
def test_a_collector_names_no_signal_that_the_catalogue_does_not_have(collector: Collector) -> None:
    nodes = ast.walk(ast.parse(source_of(collector).read_text("utf-8")))
    named = {
        node.value.value
        for node in nodes
        if isinstance(node, ast.keyword) and node.arg == "signal" and isinstance(node.value, ast.Constant)
    }
    assert named <= set(catalogue()[collector.service].signals)


@each_collector
def test_every_signal_has_a_test(collector: Collector) -> None:
    files = TESTS.glob(f"test_{source_of(collector).stem.strip('_')}*.py")
    mentioned = {text for path in files for text in texts(path)}
    assert set(catalogue()[collector.service].signals) <= mentioned


@each_signal
def test_a_signal_is_told_in_words_without_repetition(signal: Signal) -> None:
    said = [signal.title, signal.why, signal.saturation, *signal.caveats, *signal.remedy]
    assert [text for text in said if text != text.strip() or len(text) < 3] == []
    assert len(set(said)) == len(said)
    assert len(set(signal.docs)) == len(signal.docs)


@each_signal
def test_advice_is_whole_sentences(signal: Signal) -> None:
    """A comma in an unquoted YAML list splits a sentence in two, and nothing else would tell."""
    said = [signal.why, signal.saturation, *signal.caveats, *signal.remedy]
    assert [text for text in said if not text.endswith(".") or text.count("(") != text.count(")")] == []


@each_signal
def test_a_signal_can_be_a_label_and_an_address(signal: Signal) -> None:
    assert re.fullmatch(r"[a-z0-9-]+\.[a-z0-9_]+", signal.id)


def test_no_two_signals_of_a_service_have_one_title() -> None:
    for service in catalogue().values():
        titles = [signal.title for signal in service.signals.values()]
        assert len(set(titles)) == len(titles), service.service


@each_signal
def test_only_what_is_bought_has_a_price(signal: Signal) -> None:
    assert signal.price is None or signal.kind is Kind.PROVISIONED


def test_an_item_has_one_price() -> None:
    prices = {(signal.service, signal.price.item): signal.price for signal in signals() if signal.price}
    for signal in signals():
        if signal.price:
            other = prices[signal.service, signal.price.item]
            assert (signal.price.hourly, signal.price.source) == (other.hourly, other.source)


@each_signal
def test_a_default_by_region_differs_from_the_one_for_all(signal: Signal) -> None:
    if signal.default:
        assert signal.default.value not in signal.default.by_region.values()
