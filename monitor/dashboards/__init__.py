"""Generates rules for Prometheus, dashboards for Grafana, and the runbook from the catalogue."""
