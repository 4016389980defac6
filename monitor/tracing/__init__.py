"""Traces of Headroom itself, by OpenTelemetry, if it is configured."""
