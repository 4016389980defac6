"""Plans when each metric is read next: as often as its series may be in danger, within a budget."""
