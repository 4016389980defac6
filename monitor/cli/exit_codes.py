"""The exit codes of the commands, besides 0 for success."""

SERIES_IN_ZONE = 1  # check: a series is in the zone of --fail-on or a worse one
REJECTED = 1  # alerts: Headroom rejected the request, or the receiver rejected the test
REFUSED = 1  # quota request: no request makes sense now, or AWS does not accept it
UNHEALTHY = 1  # healthcheck: Headroom does not answer, or is not healthy
FAILED = 2  # invalid configuration or receiver name, nothing could be read, or output could not be written
INCOMPLETE = 3  # part of what was requested could not be read
