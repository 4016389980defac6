"""The services that come with Headroom."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from collectors.base import Collector
from collectors.builtin import DECLARATIONS_FOLDER, PYTHON_COLLECTORS
from collectors.declaration_file import read_declaration
from collectors.lazy_collector import LazyCollector
from collectors.service_files import ServiceFolders, read_service_files
from rules.signals import CATALOGUE_FOLDER
from tests.registries import REGISTRY


def test_the_files_of_all_services_have_no_problem() -> None:
    """Reads the files themselves, not the documents that an earlier run has cached."""
    folders = ServiceFolders(DECLARATIONS_FOLDER, CATALOGUE_FOLDER)
    python_services = [collector.service for collector in PYTHON_COLLECTORS]
    declarations, services = read_service_files(folders, python_services=python_services)
    assert {declaration.service for declaration in declarations} | {*python_services} == {*REGISTRY.services}
    assert {service.service: service for service in services} == REGISTRY.services


@pytest.mark.parametrize("collector", REGISTRY.collectors, ids=lambda collector: collector.service)
def test_a_lazy_collector_has_the_fields_of_the_loaded_collector(collector: Collector) -> None:
    assert isinstance(collector, LazyCollector)
    assert {"service", "signals", "scope", "reads_last"} == collector.known_fields.keys()
    assert collector.known_fields == {
        name: getattr(collector.loaded_collector, name) for name in collector.known_fields
    }
    assert {field.name: getattr(collector, field.name) for field in fields(Collector)} == {
        field.name: getattr(collector.loaded_collector, field.name) for field in fields(Collector)
    }
    assert not isinstance(collector.loaded_collector, LazyCollector)


@pytest.mark.parametrize("name", ["ec2", "dynamodb", "route53"])
def test_a_cached_document_gives_the_same_declaration_as_its_file(name: str) -> None:
    (collector,) = REGISTRY.collectors_of({name})
    from_file = read_declaration(DECLARATIONS_FOLDER / f"{name}.yaml")
    assert collector.declaration
    assert collector.declaration.model_dump(exclude={"resources", "signals"}) == from_file.model_dump(
        exclude={"resources", "signals"}
    )
    for signal, declared in from_file.signals.items():
        expected = [(field, formula.text) for field, formula in declared.formulas]
        formulas = collector.declaration.signals[signal].formulas
        assert [(field, formula.text) for field, formula in formulas] == expected
    calls = [call.call for _, call in collector.declaration.calls()]
    assert calls
    assert calls == [call.call for _, call in from_file.calls()]


def run_in(cache: Path, code: str) -> str:
    """Run code in another process; return its output. cache: the folder in which documents are cached."""
    process = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"XDG_CACHE_HOME": str(cache)},
    )
    return process.stdout.strip()


def test_files_are_checked_again_only_if_cached_documents_are_missing_or_damaged(tmp_path: Path) -> None:
    code = (
        "import sys; from collectors.builtin import builtin_registry; registry = builtin_registry();"
        "print(len(registry.signals), 'collectors.declaration_problems' in sys.modules)"
    )
    signals = len(REGISTRY.signals)
    assert run_in(tmp_path, code) == f"{signals} True"
    assert run_in(tmp_path, code) == f"{signals} False"
    for file in tmp_path.glob("headroom/*.json"):
        file.write_bytes(file.read_bytes()[:-1])  # damages it
    assert run_in(tmp_path, code) == f"{signals} True"
    assert run_in(tmp_path, code) == f"{signals} False"
