"""Readers of the usage and the limits of AWS resources: a declaration or a module for each service."""
