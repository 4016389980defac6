"""From a change of an alert's state to what a person reads: notices, groups, routes, silences, deliveries."""
