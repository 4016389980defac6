"""`headroom check` reads an account in moto, with all services, detail signals and counts.

`moto_resources.yaml` declares the resources of the account, their usage, the services without series, and
the failures that only moto causes.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.acceptance.moto_account import RESOURCES, clients, create_resources
from tests.acceptance.moto_server import UNKNOWN_OPERATION
from tests.processes import COMMAND, ROOT, environment_of_aws
from tests.registries import REGISTRY

CHECK = ("check", "--counts", "--format", "json", "--config", "headroom.yaml")
CHECK_TIMEOUT = 300.0  # seconds; the calls of Service Quotas alone take half a minute, at 5 a second
SOME_FAILED = 3  # the exit code of `check` when calls failed
FAILURE = re.compile(r"123456789012/(us-east-1|global) (?P<failure>(?P<service>\w+): .*)")


@pytest.fixture(scope="module")
def moto() -> Iterator[Mapping[str, str]]:
    """The environment of an account in moto, with its resources."""
    command = (sys.executable, "-m", "tests.acceptance.moto_server")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        port = json.loads(process.stdout.readline())["port"]
        environ = environment_of_aws(f"http://127.0.0.1:{port}") | {"AWS_REGION": "us-east-1"}
        create_resources(clients(environ))
        yield environ
        process.kill()


@pytest.fixture(scope="module")
def report(moto: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the output of `headroom check`."""
    folder = tmp_path_factory.mktemp("headroom")
    (folder / "headroom.yaml").write_text("signals: {detail: true}\n")
    completed = subprocess.run(
        (*COMMAND, *CHECK),
        cwd=folder,
        env=dict(moto) | {"PYTHONPATH": str(ROOT)},
        timeout=CHECK_TIMEOUT,
        capture_output=True,
        check=False,
    )
    assert completed.returncode == SOME_FAILED, completed.stderr.decode()
    output: dict[str, Any] = json.loads(completed.stdout)
    return output


def test_created_resources_are_counted(report: dict[str, Any]) -> None:
    usage: Counter[str] = Counter()
    for series in report["items"]:
        name = f"{series['service']}.{series['signal']}"
        if series["service"] == "quotas":  # one signal counts things of many kinds
            name = f"{name} {series['resource']}"
        usage[name] += series["usage"] or 0
    expected = RESOURCES["usage"]
    assert {name: usage[name] for name in expected} == pytest.approx(expected)


def test_every_service_with_resources_in_moto_has_series(report: dict[str, Any]) -> None:
    found = {series["service"] for series in report["items"] if not lacks_resources(series)}
    assert {*REGISTRY.service_names} - found == {*RESOURCES["absent"]}


def test_only_calls_that_moto_lacks_fail_and_each_is_reported_once(report: dict[str, Any]) -> None:
    failures = [match["failure"] for match in map(FAILURE.fullmatch, report["failures"]) if match]
    assert len({*failures}) == len(failures) == len(report["failures"])
    assert {failure for failure in failures if UNKNOWN_OPERATION not in failure} == {*RESOURCES["mistakes"]}


def lacks_resources(series: Mapping[str, Any]) -> bool:
    """Return whether at least one resource that a series counts could not be read."""
    return bool(series["unobservable"]) and "not all could be read" in series["unobservable"]["reason"]
