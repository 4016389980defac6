"""CloudWatch Metric Streams, delivered by Firehose: points that come by themselves."""
