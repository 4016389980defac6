"""What is acceptable: limits, bands and the life of an alert, as data and pure functions."""
