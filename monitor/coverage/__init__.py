"""The coverage of quotas: which of an account are watched, and why others are not."""
