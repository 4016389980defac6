"""Which quotas of an account are watched, and why others are not."""
