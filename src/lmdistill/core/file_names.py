"""Names that become names of files and folders: what no system can hold, or no terminal should show."""

import re
from pathlib import Path

from lmdistill.core.errors import RunError
from lmdistill.core.printable import CONTROL

UNFIT = frozenset('/\\:*?"<>|')
"""Characters that file names must not have on some system."""

RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\..*)?", re.IGNORECASE)
"""Names of devices on Windows, with any ending."""


def unfit(name: str) -> str | None:
    r"""Why `name` cannot be the name of a folder on every system, after "which"; None if it can.

    Examples:
        >>> unfit("MixKD 2"), unfit("a\nb"), unfit("con.txt")
        (None, "has the character '\\n'", 'is the name of a device on Windows')
    """
    control = re.search(r"[\t\n]", name) or CONTROL.search(name)
    if control is not None:
        return f"has the character {control.group()!r}"
    return "is the name of a device on Windows" if RESERVED.fullmatch(name.strip()) else None


def require_new_name(path: Path) -> None:
    """Refuse a path of which a part is yet to be made and has an unfit name.

    Raises:
        RunError: If so.
    """
    for place in (path, *path.parents):
        why = unfit(place.name)
        if why is not None and ("\0" in str(path) or not place.exists()):
            raise RunError(f"{str(path)!r} has the part {place.name!r}, which {why}. Choose another name.")


def fitted(label: str) -> str:
    """A label as part of a file name, with each unfit character replaced by one underscore.

    Examples:
        >>> fitted("a/b: c"), fitted("...")
        ('a_b_ c', '_')
    """
    kept = "".join("_" if char in UNFIT or char in "\t\n" else char for char in CONTROL.sub("_", label))
    return re.sub("_+", "_", kept).strip("._ ") or "_"
