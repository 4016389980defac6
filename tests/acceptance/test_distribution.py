"""The wheel and the source distribution: built, installed into empty environments, and run as users do."""

import asyncio
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from venv import EnvBuilder

import pytest

from monitor.lib.version import VERSION
from tests.processes import ENVIRONMENT, ROOT, get, read_line, running

INSTALL_TIMEOUT = 600  # seconds, for a pip with an empty cache


def run(*command: str | Path, folder: Path, timeout: float = INSTALL_TIMEOUT) -> str:
    """Run a command to its end, and return its output."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=ENVIRONMENT | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def constraints_of(lock: Path) -> Iterator[str]:
    """Yield the lines `name==version` of a lock, without the hashes."""
    for line in lock.read_text("utf-8").splitlines():
        if found := re.match(r"[A-Za-z0-9][^\\]*", line):
            yield found[0].strip()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, folder=ROOT)
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the source distribution alone."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=source)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder bin/ of an environment with nothing but the wheel and its requirements."""
    folder = tmp_path_factory.mktemp("environment")
    EnvBuilder().create(folder / "venv")
    (folder / "constraints.txt").write_text("\n".join(constraints_of(ROOT / "requirements-dev.lock")))
    install(folder / "venv" / "bin", str(wheel))
    return folder / "venv" / "bin"


def install(bin_folder: Path, requirement: str) -> None:
    """Install a requirement into the environment with this folder bin/."""
    constraints = bin_folder.parents[1] / "constraints.txt"
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        bin_folder / "python",
        "install",
        "--quiet",
        "--no-compile",
    )
    run(*pip, "--disable-pip-version-check", "--constraint", constraints, requirement, folder=bin_folder)


def error_output(bin_folder: Path, *arguments: str) -> str:
    """Return the error output of a command, which must end with exit code 2 and no traceback."""
    done = subprocess.run(
        [bin_folder / "headroom", *arguments],
        cwd=bin_folder,
        env=ENVIRONMENT | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_headroom_runs_if_only_the_wheel_is_installed(environment: Path) -> None:
    assert run(environment / "headroom", "--version", folder=environment) == f"headroom {VERSION}\n"
    policy = json.loads(run(environment / "headroom", "iam-policy", "--service", "sqs", folder=environment))
    assert policy["Version"] == "2012-10-17"
    rules = run(environment / "headroom", "dashboards", "prometheus", "--out", "rules", folder=environment)
    assert "rules/kinesis.yaml" in rules


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("demo",), "demo"),
        (("dashboards", "grafana"), "dashboards"),
        (("config", "check", "--config", "traced.yaml"), "tracing"),
    ],
)
def test_a_command_whose_extra_is_missing_says_what_to_install(
    command: tuple[str, ...], extra: str, environment: Path
) -> None:
    (environment / "traced.yaml").write_text("tracing: {endpoint: 'http://127.0.0.1:4318/v1/traces'}\n")
    assert f"pip install 'aws-headroom[{extra}]'" in error_output(environment, *command)


async def test_the_demo_starts_from_an_installed_wheel(
    environment: Path, wheel: Path, tmp_path: Path
) -> None:
    await asyncio.to_thread(install, environment, f"{wheel}[demo]")
    environ = ENVIRONMENT | {"PYTHONPATH": ""}
    demo = (str(environment / "headroom"), "demo", "--port", "0")
    async with running(*demo, environ=environ, folder=tmp_path) as process:
        address = (await read_line(process, "http://")).split()[0]
        page = await get(address)
        assert page and "Headroom" in page.text
        metrics = await get(f"{address.rstrip('/')}/metrics")
        assert metrics and "headroom_utilization_ratio{" in metrics.text
        process.terminate()
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


def test_the_source_distribution_has_each_deployed_file_once_and_no_database(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert len(names) == len({*names})
    assert {"README.md", "CHANGELOG.md", "SECURITY.md", "Dockerfile", "docs/alerts.md"} <= {*names}
    assert {"deploy/systemd/headroom.service", "deploy/helm/headroom/values.yaml"} <= {*names}
    for folder, chart in (
        ("dashboards/grafana", "deploy/helm/headroom/files/dashboards"),
        ("dashboards/prometheus", "deploy/helm/headroom-rules/files/rules"),
    ):
        files = {path.name for path in (ROOT / folder).iterdir()}
        assert {f"{parent}/{name}" for parent in (folder, chart) for name in files} <= {*names}
    assert not [name for name in names if name.startswith((".venv", "dist/")) or name.endswith(".db")]
