"""The socket on which a server accepts requests."""

import errno
import os
import socket

from lmdistill.core.errors import ConfigError

BACKLOG = 2048
"""Connections that may wait to be accepted."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that clients wait while the model is loaded.

    Args:
        host: Name or address of this machine.
        port: Number in [0, 65535]; 0 takes a free one.

    Raises:
        ConfigError: If the port is in use, or the machine has no such address.
    """
    try:
        (family, _, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ConfigError(f"--host {host} is no address of this machine. 127.0.0.1 is its own.") from None
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # there, it would share the port with another server
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise _unusable(host, port, error) from None
    return opened


def address_of(opened: socket.socket) -> str:
    """The address of a listening socket, as a client types it."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if opened.family == socket.AF_INET6 else f"http://{host}:{port}"


def _unusable(host: str, port: int, error: OSError) -> ConfigError:
    """An error about an address on which nothing can listen."""
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"port {port} of {host} is in use. Choose another --port, 0 for a free one, or stop the program "
            "that uses it."
        )
    if error.errno == errno.EACCES:
        return ConfigError(f"port {port} needs more rights than this user has. Choose a --port from 1024 on.")
    return ConfigError(
        f"--host {host} with --port {port} cannot be used: {error.strerror}. 127.0.0.1 is this machine's own."
    )
