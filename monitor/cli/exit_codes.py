"""The exit codes that several commands share."""

SERIES_IN_ZONE = 1  # a series is in the zone of --fail-on or a worse one
FAILED = 2  # invalid configuration, nothing could be read, or the output could not be written
INCOMPLETE = 3  # part of what was requested could not be read
