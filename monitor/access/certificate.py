"""The certificate that the server shows, and a new one once its files change.

What the server holds is a context that gives each new connection the newest one; connections that are open
keep theirs. https://docs.python.org/3.11/library/ssl.html#ssl.SSLContext.sni_callback
"""

import logging
import ssl

from prometheus_client import Counter

from monitor.access.config import TlsConfig

log = logging.getLogger(__name__)


class Certificate:
    """The one in force; `context` is for a server. Blocks. reloads: by outcome. Raises ValueError."""

    def __init__(self, config: TlsConfig, reloads: Counter) -> None:
        self._config, self._reloads = config, reloads
        self._stamp = config.pair.stamp()
        self._newest, self.context = config.context(), config.context()
        self.context.sni_callback = self._show

    def renew(self, config: TlsConfig | None = None) -> None:
        """Take changed files, or others, into use; those that are of none are said once. Blocks."""
        config = config or self._config
        stamp = config.pair.stamp()
        if config == self._config and stamp == self._stamp:
            return
        self._config, self._stamp = config, stamp
        try:
            self._newest = config.context()
        except ValueError as error:
            self._reloads.labels("refused").inc()
            log.error("the new certificate is of no use, the old one stays in force: %s", error)
            return
        self.context.minimum_version = self._newest.minimum_version
        self._reloads.labels("done").inc()
        log.info("the certificate is read anew")

    def _show(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._newest
