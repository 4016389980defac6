"""The list of signals and services that are not watched agrees with the catalogue."""

from pathlib import Path

import pytest

from rules.not_declared import read_not_declared
from tests.registries import REGISTRY

NOT_DECLARED = read_not_declared()


def test_signals_and_services_that_are_not_watched_are_not_in_the_catalogue() -> None:
    assert NOT_DECLARED.signals.keys() & {signal.id for signal in REGISTRY.signals} == set()
    assert NOT_DECLARED.services.keys() & {service.title for service in REGISTRY.services.values()} == set()


def test_signals_and_services_are_in_alphabetical_order() -> None:
    assert list(NOT_DECLARED.signals) == sorted(NOT_DECLARED.signals)
    assert list(NOT_DECLARED.services) == sorted(NOT_DECLARED.services)


def test_a_signal_that_a_reason_names_exists() -> None:
    known = {signal.id for signal in REGISTRY.signals}
    named = {word.rstrip(".") for why in NOT_DECLARED.signals.values() for word in why.split() if "_" in word}
    assert named and named <= known


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("services: {}", "own.yaml:1: signals: missing"),
        ("signals: {}\nservices: {}\nquotas: {}", "own.yaml:3: quotas: unknown key"),
        ("signals: {sqs: Nobody can see it.}\nservices: {}", "own.yaml:1: signals.sqs: expected text that"),
        ("signals:\n  sqs.age: nobody\nservices: {}", "own.yaml:2: signals.sqs.age: expected text that"),
    ],
)
def test_a_problem_is_reported_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="own") as error:
        read_not_declared(path)
    assert problem in str(error.value)
