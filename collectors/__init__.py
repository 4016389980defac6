"""Collectors of usage and limits of AWS resources, one module for each AWS service."""
