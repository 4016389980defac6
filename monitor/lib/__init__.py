"""General tools that depend on no other package of the monitor."""
