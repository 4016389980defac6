"""A real Prometheus, with our rules or without."""

import re
import shutil
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import yaml

from monitor.dashboards.prometheus import INTERVAL, files
from monitor.demo.session import demo_services
from tests.monitor.serve_process import free_port
from tests.processes import eventually, get, running
from tests.registries import REGISTRY

MINUTES = re.compile(r"(\[|offset |for: )(\d+)m")


def program(*names: str) -> str:
    """Return the path of a program: of the first of `names` that is installed."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    assert found, f"install the Debian package that has {names[0]}, or run `make acceptance`"
    return found


def rules() -> dict[str, str]:
    """Return the texts of our rules for the services in the demo, by file name; evaluated every second."""
    services = [REGISTRY.services[name] for name in demo_services()]
    return {name: text.replace(INTERVAL, "1s") for name, text in files(services).items()}


def fast_rules() -> dict[str, str]:
    """Return our rules with a second in place of each minute."""
    return {name: MINUTES.sub(r"\1\2s", text) for name, text in rules().items()}


@asynccontextmanager
async def run_prometheus(folder: Path, address: str, *flags: str) -> AsyncIterator[Process]:
    """Run a Prometheus, with its configuration and its data in a folder, until the context exits."""
    own_flags = (
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
    )
    async with running(program("prometheus"), *own_flags, *flags) as process:
        await eventually(partial(get, f"http://{address}/-/ready"))
        yield process


@asynccontextmanager
async def scrape(
    folder: Path, target: str, rule_files: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Scrape a target every second, and evaluate rules; yield the URL of Prometheus.

    rule_files: the text of each file, by its name. labels: the labels that Prometheus gives the target.
    """
    settings = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "rule_files": ["*.rules.yaml"],
        "scrape_configs": [
            {"job_name": "headroom", "static_configs": [{"targets": [target], "labels": dict(labels or {})}]}
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    for name, text in rule_files.items():
        (folder / name).with_suffix(".rules.yaml").write_text(text)
    address = f"127.0.0.1:{free_port()}"
    async with run_prometheus(folder, address):
        yield f"http://{address}"
