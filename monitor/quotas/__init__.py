"""Requests for an increase of a quota: what is asked of AWS, why it is not, and the command that does it."""
