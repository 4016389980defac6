"""The entries of the services that come with Headroom, for who needs no declarations."""

from functools import cache

from rules.model_file import parse_model
from rules.signals import CATALOGUE_FOLDER, Service


@cache
def builtin_services() -> tuple[Service, ...]:
    """Return all entries, in the order of their files."""
    files = sorted(CATALOGUE_FOLDER.glob("[!.]*.yaml"))
    read = (parse_model(path.read_bytes(), str(path), Service) for path in files)
    return tuple(one.model for one in read if one.model)  # a test holds that there is no problem in them
