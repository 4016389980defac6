"""Dashboards for Grafana, made from the catalogue; needs the extra `dashboards`."""
