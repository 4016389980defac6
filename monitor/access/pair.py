"""A certificate and its key, read from files into what a TLS server needs."""

import ssl
from pathlib import Path
from typing import Final, NamedTuple

MINIMUM: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Pair(NamedTuple):
    """Where they are: PEM, the certificate with those of its issuers, the key without a passphrase."""

    certificate: Path
    key: Path

    def stamp(self) -> tuple[object, ...]:
        """Another one once a file is another: replaced, written anew, or gone. Blocks."""
        return tuple(map(_stamp, self))

    def context(self, minimum: ssl.TLSVersion) -> ssl.SSLContext:
        """For a server, HTTP/1.1. Blocks. Raises ValueError, with the reason, when they are of no use."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = minimum
        context.set_alpn_protocols(["http/1.1"])
        try:
            for file in self:
                file.open("rb").close()  # what is raised below does not say which one
            context.load_cert_chain(*self, password="")  # without, a terminal would be asked for one
        except ssl.SSLError as error:
            reason = (error.reason or "no PEM").replace("_", " ").lower()
            raise ValueError(f"{self.certificate} and {self.key} cannot be used together: {reason}") from None
        except OSError as error:
            raise ValueError(f"{error.filename}: {error.strerror}") from None
        return context


def _stamp(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
