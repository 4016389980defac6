"""Receives CloudWatch Metric Streams that Amazon Data Firehose delivers over HTTP."""
