"""The configuration that the option --config selects."""

from os import environ
from pathlib import Path
from typing import NamedTuple

from collectors.registry import Registry
from monitor.cli.registry_file import exit_on_config_error
from monitor.config.config import Config
from monitor.config.file import read_config
from monitor.schema.problems import ConfigError


class ListenOptions(NamedTuple):
    """The command line's options for the address to listen on; None for an option that is not given.

    listen: host and port, as `host:port`.
    """

    listen: str | None = None
    host: str | None = None
    port: int | None = None

    def apply_to(self, config: Config) -> Config:
        """Return the configuration with the address of the options. Raises ConfigError."""
        if self.listen and (self.host is not None or self.port is not None):
            raise ConfigError(["listen: expected either --listen or --host and --port, found both"])
        if self.host is None and self.port is None:
            return config.with_listen(self.listen) if self.listen else config
        configured_host, configured_port = config.listen_address
        host = configured_host if self.host is None else self.host
        port = configured_port if self.port is None else self.port
        return config.with_listen(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


AS_CONFIGURED = ListenOptions()


def load_config_or_exit(
    registry: Registry, file: Path | None, listen_options: ListenOptions = AS_CONFIGURED
) -> Config:
    """Return the configuration of `load_config`. If it is invalid, print its problems and exit."""
    with exit_on_config_error():
        return load_config(registry, file, listen_options)


def load_config(registry: Registry, file: Path | None, listen_options: ListenOptions) -> Config:
    """Return the configuration, with the command line's listen address if any. Raises ConfigError."""
    return listen_options.apply_to(read_config(file, environ, registry))
