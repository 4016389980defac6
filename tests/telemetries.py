"""All metrics of a process that polls and streams, in one registry."""

from monitor.aws.telemetry import AwsTelemetry
from monitor.cost.telemetry import CostTelemetry
from monitor.lib.telemetry import ProcessTelemetry
from monitor.stream.telemetry import StreamTelemetry


class Telemetries:
    """The telemetries that the composition root creates."""

    def __init__(self) -> None:
        self.process = ProcessTelemetry()
        self.registry = self.process.registry
        self.aws = AwsTelemetry(self.registry)
        self.stream = StreamTelemetry(self.registry, self.aws.points)
        self.cost = CostTelemetry(self.registry, self.aws, self.stream.updates)
