"""The monitors that are compared: how each is started, and how it exports the newest point of a stream."""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.aws import NAMESPACE, REGION
from bench.peers.streams import EDGE, METRICS, Kind
from rules.band import Zone
from tests.processes import COMMAND

INTERVAL = 60  # seconds between two scrapes of AWS
WINDOW = 300  # seconds of points that others request each time, as AWS's are late
TINY = 1e-9  # what is more than 0 is at least this

HEADROOM = """
services: [kinesis]
regions: [{region}]
interval: {interval}
{more}
listen: 127.0.0.1:{port}
journal: {folder}/headroom.db
"""
EVERY_MINUTE = f"max_interval: {INTERVAL}\nthrottled_interval: {INTERVAL}"


@dataclass(frozen=True)
class Monitor:
    """A monitor that reads CloudWatch. command: starts it, of a configuration file and a port.

    config: the text of that file, of a port and a folder. newest: in its /metrics, matches the stream and the
    minute of the newest point of a stream, in epoch seconds times `time_scale`. detects: for each kind of
    thing to be detected, a pattern that matches the stream and a value, and the least of those values.
    scrapes_on_request: a request of /metrics makes it read AWS.
    """

    name: str
    command: Callable[[Path, int], Sequence[str]]
    config: Callable[[int, Path], str]
    newest: re.Pattern[str]
    detects: Mapping[Kind, tuple[re.Pattern[str], float]]
    time_scale: float = 1.0
    scrapes_on_request: bool = False


def headroom(name: str, more: str = "") -> Monitor:
    """Headroom. more: lines of its configuration."""
    return Monitor(
        name,
        lambda file, _: (*COMMAND, "serve", "--config", str(file)),
        lambda port, folder: HEADROOM.format(
            region=REGION, interval=INTERVAL, more=more, port=port, folder=folder
        ),
        _own_family("headroom_sample_timestamp_seconds"),
        {
            Kind.ABOVE: (_own_family("headroom_zone"), Zone.ABOVE),
            Kind.THROTTLED: (_own_family("headroom_saturation"), TINY),
        },
    )


def _own_family(name: str) -> re.Pattern[str]:
    labels = r'.*signal="stream_write_bytes".*resource="(stream-\d+)".*'
    return re.compile(rf"^{name}\{{{labels}\}} (\S+)$", re.M)


def _detected_by(label: str) -> Mapping[Kind, tuple[re.Pattern[str], float]]:
    """Return the patterns and values of the families of exporters. label: of the stream."""
    family = rf'^aws_kinesis_%s_sum\{{.*{label}="(stream-\d+)".*\}} (\S+) \d+$'
    return {
        Kind.ABOVE: (re.compile(family % "incoming_bytes", re.M), EDGE * METRICS["IncomingBytes"][1]),
        Kind.THROTTLED: (re.compile(family % "write_provisioned_throughput_exceeded", re.M), TINY),
    }


def yace(binary: str) -> Monitor:
    """yet-another-cloudwatch-exporter."""
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
    """cloudwatch_exporter, of a jar with its dependencies."""
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
    """Return those that can be started: Headroom twice, and others whose programs the environment names."""
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
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }
