"""Addresses of databases and servers as people may see them: without what opens them."""

import re
from urllib.parse import unquote_plus

HIDDEN = "***"
"""What stands in place of a secret."""

USER = re.compile(r"(://[^:/@\s]*):(\S*)@")
"""User and password before a host; a password may hold the sign that ends it."""

PARAMETER = re.compile(
    r"([?&;][^=&;\s]*(?:pass|pwd|secret|token|key|credential|auth|signature|odbc_connect|dsn)[^=&;\s]*=)([^&;\s]*)",
    re.IGNORECASE,
)
"""A parameter whose name speaks of a password, as `sslpassword` and `ssl_key_password` do, and its value."""


def without_secrets(text: str) -> str:
    """A text with addresses in it, whose passwords are replaced.

    Examples:
        >>> without_secrets("mysql://me:secret@host/name?charset=utf8&sslpassword=secret")
        'mysql://me:***@host/name?charset=utf8&sslpassword=***'
    """
    return PARAMETER.sub(rf"\1{HIDDEN}", USER.sub(rf"\1:{HIDDEN}@", text))


def secrets_in(address: str) -> tuple[str, ...]:
    """The passwords of an address, as they are written in it and as they are sent, the longest first."""
    found = [match.group(2) for pattern in (USER, PARAMETER) for match in pattern.finditer(address)]
    return tuple(sorted({*found, *map(unquote_plus, found)} - {""}, key=len, reverse=True))
