"""The monitors that are compared: how each is started, and what its /metrics shows of a stream."""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.aws import NAMESPACE, REGION
from bench.peers.streams import EDGE, METRICS, Kind
from rules.band import Zone

INTERVAL = 60  # seconds between two reads of AWS
WINDOW = 300  # the other monitors request the points of so many past seconds, because points are late
TINY = 1e-9  # the least value that counts as more than 0
# An installation has no httpx, which aiobotocore imports where it finds it, as in a development environment.
RUN_HEADROOM = "import sys; sys.modules['httpx'] = None; from monitor.cli.main import main; main()"

HEADROOM = """
services: [kinesis]
regions: [{region}]
interval: {interval}
{further_lines}
listen: 127.0.0.1:{port}
journal: {folder}/headroom.db
"""
EVERY_MINUTE = f"max_interval: {INTERVAL}\nthrottled_interval: {INTERVAL}"


@dataclass(frozen=True)
class Monitor:
    """A monitor that reads CloudWatch.

    command: returns the command that starts the monitor with a configuration file and a port. config: returns
    the text of that file for a port and a folder. newest: matches, in /metrics, a stream and the time of its
    newest point, in epoch seconds times `time_scale`. detects: for each kind of event, a pattern that matches
    a stream and a value in /metrics, and the least value that shows the event. scrapes_on_request: the
    monitor reads AWS when its /metrics is requested.
    """

    name: str
    command: Callable[[Path, int], Sequence[str]]
    config: Callable[[int, Path], str]
    newest: re.Pattern[str]
    detects: Mapping[Kind, tuple[re.Pattern[str], float]]
    time_scale: float = 1.0
    scrapes_on_request: bool = False


def headroom(name: str, further_lines: str = "") -> Monitor:
    """Return Headroom as a monitor. further_lines: lines that are added to its configuration."""
    return Monitor(
        name,
        lambda file, _: (sys.executable, "-c", RUN_HEADROOM, "serve", "--config", str(file)),
        lambda port, folder: HEADROOM.format(
            region=REGION, interval=INTERVAL, further_lines=further_lines, port=port, folder=folder
        ),
        _own_family("headroom_sample_timestamp_seconds"),
        {
            Kind.ABOVE: (_own_family("headroom_zone"), Zone.ABOVE),
            Kind.THROTTLED: (_own_family("headroom_saturation"), TINY),
        },
    )


def _own_family(name: str) -> re.Pattern[str]:
    """Return a pattern that matches a stream and its value in a family of Headroom."""
    labels = r'.*signal="stream_write_bytes".*resource="(stream-\d+)".*'
    return re.compile(rf"^{name}\{{{labels}\}} (\S+)$", re.M)


def _detected_by(label: str) -> Mapping[Kind, tuple[re.Pattern[str], float]]:
    """Return `detects` of an exporter of CloudWatch's metrics. label: the label with the stream's name."""
    family = rf'^aws_kinesis_%s_sum\{{.*{label}="(stream-\d+)".*\}} (\S+) \d+$'
    return {
        Kind.ABOVE: (re.compile(family % "incoming_bytes", re.M), EDGE * METRICS["IncomingBytes"][1]),
        Kind.THROTTLED: (re.compile(family % "write_provisioned_throughput_exceeded", re.M), TINY),
    }


def yace(binary: str) -> Monitor:
    """Return yet-another-cloudwatch-exporter as a monitor. binary: the path of its program."""
    return Monitor(
        "YACE",
        lambda file, port: (
            *(binary, "-config.file", str(file), "-listen-address", f"127.0.0.1:{port}"),
            *("-scraping-interval", str(INTERVAL)),
        ),
        lambda *_: _yace_config(),
        re.compile(
            r'^aws_kinesis_incoming_bytes_sum\{.*dimension_StreamName="(stream-\d+)".*\} \S+ (\d+)$', re.M
        ),
        _detected_by("dimension_StreamName"),
        time_scale=1000.0,
    )


def _yace_config() -> str:
    metrics = (f"        - {{name: {name}, statistics: [{stat}]}}" for name, (stat, _) in METRICS.items())
    head = f"""apiVersion: v1alpha1
discovery:
  jobs:
    - type: {NAMESPACE}
      regions: [{REGION}]
      period: 60
      length: {WINDOW}
      addCloudwatchTimestamp: true
      metrics:
"""
    return head + "\n".join(metrics) + "\n"


def cloudwatch_exporter(jar: str) -> Monitor:
    """Return cloudwatch_exporter as a monitor. jar: the path of its jar with dependencies."""
    return Monitor(
        "cloudwatch_exporter",
        lambda file, port: ("java", "-jar", jar, str(port), str(file)),
        lambda *_: _cloudwatch_exporter_config(),
        re.compile(r'^aws_kinesis_incoming_bytes_sum\{.*stream_name="(stream-\d+)".*\} \S+ (\d+)$', re.M),
        _detected_by("stream_name"),
        time_scale=1000.0,
        scrapes_on_request=True,
    )


def _cloudwatch_exporter_config() -> str:
    lines = (
        f"  - {{aws_namespace: {NAMESPACE}, aws_metric_name: {name}, aws_dimensions: [StreamName], "
        f"aws_statistics: [{stat}]}}"
        for name, (stat, _) in METRICS.items()
    )
    head = (
        f"region: {REGION}\nperiod_seconds: 60\ndelay_seconds: 0\nrange_seconds: {WINDOW}\n"
        "use_get_metric_data: true\nset_timestamp: true\nmetrics:\n"
    )
    return head + "\n".join(lines) + "\n"


def monitors(environ: Mapping[str, str] = os.environ) -> list[Monitor]:
    """Return the monitors that can be started: Headroom twice, and those that the environment names."""
    found = [headroom("Headroom"), headroom("Headroom, every minute", EVERY_MINUTE)]
    if binary := environ.get("YACE"):
        found.append(yace(binary))
    if jar := environ.get("CLOUDWATCH_EXPORTER"):
        found.append(cloudwatch_exporter(jar))
    return found


def environment(url: str) -> dict[str, str]:
    """Return the environment of a monitor that reads the AWS at a URL."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": ":".join(filter(None, sys.path)),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),  # parsed files
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }
