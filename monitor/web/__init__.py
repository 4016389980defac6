"""The web pages: overview, series, alerts, blind spots, cost and status, and their live updates."""
