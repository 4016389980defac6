"""A certificate and its key in files, and the SSL context that a server makes of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.lib.files import read_file

if TYPE_CHECKING:
    import ssl

TLS_VERSIONS: Final = {"1.2": "TLSv1_2", "1.3": "TLSv1_3"}  # the names of Python's `ssl.TLSVersion`


class KeyPair(NamedTuple):
    """Two PEM files: the certificate with its chain of issuers, and the key without a passphrase."""

    certificate: Path
    key: Path

    def stamp(self) -> tuple[object, ...]:
        """Return a value that changes when a file is replaced, rewritten or removed. It blocks."""
        return tuple(map(_stamp, self))

    def context(self, minimum_version: str) -> "ssl.SSLContext":
        """Return the context of an HTTP/1.1 server. It blocks. Raises ValueError with the reason.

        minimum_version: the oldest version of TLS that is accepted, "1.2" or "1.3".
        """
        import ssl  # noqa: PLC0415 - reading the settings needs no ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion[TLS_VERSIONS[minimum_version]]
        context.set_alpn_protocols(["http/1.1"])
        try:
            for file in self:
                read_file(file, 1)  # an OSError of load_cert_chain does not name the file
            context.load_cert_chain(*self, password="")  # without a password OpenSSL asks on the terminal
        except ssl.SSLError as error:
            reason = (error.reason or "no PEM").replace("_", " ").lower()
            raise ValueError(f"{self.certificate} and {self.key} cannot be used together: {reason}") from None
        except OSError as error:
            raise ValueError(f"{error.filename}: {error.strerror}") from None
        return context


def _stamp(file: Path) -> tuple[int, ...] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
