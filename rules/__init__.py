"""The catalogue of limits, and the rules of zones and alerts as pure functions."""
