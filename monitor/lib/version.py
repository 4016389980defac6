"""The version of Headroom."""

from importlib.metadata import version

VERSION = version("aws-headroom")
