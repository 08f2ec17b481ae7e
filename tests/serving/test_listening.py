import socket

import pytest

from lmdistill.core.errors import ConfigError
from lmdistill.serving.listening import address_of, listen


def test_a_free_port_is_found_and_clients_wait_in_line():
    with listen("127.0.0.1", 0) as opened:
        address = address_of(opened)
        port = int(address.removeprefix("http://127.0.0.1:"))
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_port_in_use_is_named():
    with listen("127.0.0.1", 0) as opened:
        port = opened.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"^port {port} of 127\.0\.0\.1 is in use\. Choose another --port"
        ):
            listen("127.0.0.1", port)
    listen("127.0.0.1", port).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no host", "a" * 300])
def test_an_address_that_is_not_this_machines_is_named(host):
    with pytest.raises(ConfigError, match=r"^--host .*127\.0\.0\.1 is (its own|this machine's own)\.$"):
        listen(host, 0)
