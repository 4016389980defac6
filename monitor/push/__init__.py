"""Telling others what the fleet holds: every minute of every series, under its own time, over HTTP."""
