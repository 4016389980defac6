"""What shows Headroom elsewhere, made from the catalogue: rules for Prometheus, dashboards, the runbook."""
