"""The socket on which Headroom listens."""

import pytest

from monitor.server.listener import bind_socket


def test_an_address_in_use_is_named_with_the_reason() -> None:
    with bind_socket("127.0.0.1", 0) as listening_socket:
        port = listening_socket.getsockname()[1]
        with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use$"):
            bind_socket("127.0.0.1", port)


def test_a_host_that_has_no_address_is_named_with_the_reason() -> None:
    with pytest.raises(OSError, match=r"cannot listen on \[::zz\]:4070: Name or service not known$"):
        bind_socket("::zz", 4070)
