"""Generates rules for Prometheus, dashboards for Grafana, and documents from the catalogue."""
