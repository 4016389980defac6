"""The peak write rate of on-demand Kinesis streams, which determines their capacity."""

from collections.abc import Iterable
from datetime import UTC, datetime
from math import ceil
from typing import Any, NamedTuple

from collectors.base import Aws, Metric
from collectors.times import epoch_seconds
from rules.units import BYTES

PEAK_DAYS = 30
PEAK_PERIOD = 300  # seconds: CloudWatch stores five-minute points for 63 days, one-minute points for 15 days
SECONDS_PER_HOUR, SECONDS_PER_DAY = 3600, 86_400

# Kinesis publishes no point for minutes without writes.
incoming_bytes = Metric("AWS/Kinesis", "IncomingBytes", "Sum", zero_when_absent=True, unit=BYTES)

StreamSummary = dict[str, Any]  # the SUMMARY_MEMBERS of a StreamDescriptionSummary
SUMMARY_MEMBERS = (
    "StreamName",
    "StreamARN",
    "StreamModeDetails",
    "StreamCreationTimestamp",
    "RetentionPeriodHours",
    "EnhancedMonitoring",
    "OpenShardCount",
    "ConsumerCount",
    "WarmThroughput",
)
REQUIRED_NUMBERS = ("RetentionPeriodHours", "OpenShardCount")  # the numbers that every summary must have


def created_at(summary: StreamSummary) -> float | None:
    """Return when a stream was created, in epoch seconds."""
    return epoch_seconds(summary["StreamCreationTimestamp"])


def stream_name(summary: StreamSummary) -> str:
    """Return the name of the stream that a summary describes."""
    return str(summary["StreamName"])


class WritePeak(NamedTuple):
    """The write peak of a stream. start, end: the time range for which it was read, in epoch seconds."""

    start: float
    end: float
    bytes_per_second: float


class WritePeaks(dict[str, WritePeak]):
    """The write peaks of streams, by the name of the stream."""

    def retain(self, names: Iterable[str]) -> None:
        """Remove all streams except these."""
        for name in self.keys() - set(names):
            del self[name]


async def get_write_peak(aws: Aws, summary: StreamSummary) -> float:
    """Get the highest five-minute mean of bytes written per second in 30 days; 0 without data.

    Before it has to scale, an on-demand stream accepts twice its highest write rate of the last 30 days:
    https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html
    Points of a former stream of the same name are left out. The time range ends at a full hour, so that
    the peak is requested, and billed, once an hour.
    """
    name, peaks = stream_name(summary), aws.state(WritePeaks)
    end = aws.now // SECONDS_PER_HOUR * SECONDS_PER_HOUR
    start = max(
        end - PEAK_DAYS * SECONDS_PER_DAY, ceil((created_at(summary) or 0.0) / PEAK_PERIOD) * PEAK_PERIOD
    )
    if start >= end:
        return 0.0
    peak = peaks.get(name)
    if peak is None or (peak.start, peak.end) != (start, end):
        peak = peaks[name] = WritePeak(start, end, await query_write_peak(aws, name, start, end))
    return peak.bytes_per_second


async def query_write_peak(aws: Aws, name: str, start: float, end: float) -> float:
    """Get the highest five-minute mean of bytes written per second between two epoch seconds."""
    metric = {
        "Namespace": incoming_bytes.namespace,
        "MetricName": incoming_bytes.name,
        "Dimensions": [{"Name": "StreamName", "Value": name}],
    }
    query = {"Id": "bytes", "MetricStat": {"Metric": metric, "Period": PEAK_PERIOD, "Stat": "Sum"}}
    results = aws.list_items(
        "cloudwatch",
        "GetMetricData",
        "MetricDataResults",
        MetricDataQueries=[query],
        StartTime=datetime.fromtimestamp(start, UTC),
        EndTime=datetime.fromtimestamp(end, UTC),
    )
    highest = 0.0
    async for result in results:  # each page has one result
        highest = max([highest, *result["Values"]])
    return highest / PEAK_PERIOD
