"""Calls to AWS: accounts, credentials, cells with their clients and rate limits, and failed calls."""
