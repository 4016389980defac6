"""The calls that the watching of quotas may make in one account and region."""

CALLS_PER_HOUR = 1000
FIRST_CALLS = 25  # right after the start: few, so that no other service waits
