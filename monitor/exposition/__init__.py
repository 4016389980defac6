"""The fleet in Prometheus' text format and OpenMetrics."""
