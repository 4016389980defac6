"""The server's certificate, which is reloaded when its files change.

The server has one SSL context, which assigns the newest certificate to each new connection. Open
connections keep their certificate. https://docs.python.org/3.11/library/ssl.html#ssl.SSLContext.sni_callback
"""

import logging
import ssl
import threading

from prometheus_client import Counter

from monitor.access.settings import TlsConfig

log = logging.getLogger(__name__)


class Certificate:
    """The current certificate. Creating an instance reads its files: it blocks, and may raise ValueError.

    reloads: counts reloads by outcome. config: the current settings. context: the server's SSL context.
    """

    def __init__(self, config: TlsConfig, reloads: Counter) -> None:
        self.config, self._reloads = config, reloads
        # `reload` may run in two threads at once: a check of the files must not undo new settings.
        self._lock = threading.Lock()
        self._files_stamp = config.pair.stamp()
        self._newest_context, self.context = config.context(), config.context()
        self.context.sni_callback = self._use_newest

    def reload(self, config: TlsConfig | None = None) -> None:
        """Read the files again if the files or the settings have changed. It blocks.

        An unusable certificate is logged once, and the old certificate stays in force.
        """
        with self._lock:
            self._reload(config or self.config)

    def _reload(self, config: TlsConfig) -> None:
        stamp = config.pair.stamp()
        if config == self.config and stamp == self._files_stamp:
            return
        self.config, self._files_stamp = config, stamp
        try:
            self._newest_context = config.context()
        except ValueError as error:
            self._reloads.labels("refused").inc()
            log.error("the new certificate cannot be used, the old one stays in force: %s", error)
            return
        self.context.minimum_version = self._newest_context.minimum_version
        self._reloads.labels("done").inc()
        log.info("the certificate was reloaded")

    def _use_newest(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._newest_context
