"""Pushes every sample of every series, under the time of its minute, to time series databases over HTTP."""
