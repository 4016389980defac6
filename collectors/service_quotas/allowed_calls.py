"""The number of calls that Headroom may make to watch quotas, in each account and region."""

CALLS_PER_HOUR = 1000
FIRST_CALLS = 25  # calls right after the start: few, so that other services need not wait
