"""The hours that a search has used, over all commands that worked on it."""

import logging
import math
import time
from pathlib import Path

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.errors import ConfigError

log = logging.getLogger("lmdistill")

FILE = "hours.json"
"""Name of the file in the folder of a search."""

TOLD_EVERY = 120.0
"""Seconds between two lines about the hours."""

SAVED_EVERY = 5.0
"""Seconds between two writes of the file; a kill loses at most these."""


class Hours:
    """Counts the seconds of a search while its commands run, and keeps them in a file."""

    def __init__(self, folder: Path, most: float | None) -> None:
        """Continue counting.

        Args:
            folder: Of the search.
            most: Hours that it may take; None is no limit.
        """
        self._file, self.most = folder / FILE, most
        try:
            self._before = float(dict(read_json(self._file)).get("seconds", 0.0))
        except (OSError, ValueError, TypeError):
            self._before = 0.0
        self._began = self._saved = self._told = time.monotonic()

    @property
    def used(self) -> float:
        """Hours that all commands have used."""
        return (self._before + time.monotonic() - self._began) / 3600

    @property
    def share(self) -> float:
        """Part of the allowed hours that is used; 0 without a limit."""
        return 0.0 if self.most is None else self.used / self.most

    @property
    def text(self) -> str:
        """For a line about the progress."""
        limit = "" if self.most is None else f" of {self.most:g}"
        return f"{self.used:.2f}{limit} hours used"

    def tell(self) -> None:
        """Log the hours that are used, every `TOLD_EVERY` seconds."""
        if time.monotonic() - self._told >= TOLD_EVERY:
            self._told = time.monotonic()
            log.info("%s", self.text)

    def save(self, *, now: bool = False) -> None:
        """Write the file if it is due, or now."""
        if now or time.monotonic() - self._saved >= SAVED_EVERY:
            self._saved = time.monotonic()
            write_json(self._file, {"seconds": round(self.used * 3600, 1)})


def require_hours(hours: float | None) -> None:
    """Refuse a limit of hours that is none.

    Raises:
        ConfigError: If it is not above 0.
    """
    if hours is not None and not 0 < hours < math.inf:
        raise ConfigError(f"--hours must be above 0, got {hours:g}. 0.5 is half an hour.")
